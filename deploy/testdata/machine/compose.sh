# The image by deploy/compose.yaml: start, push, build, pull, restarts, and a new container on the same data.
systemctl start docker
skopeo copy -q oci-archive:/files/fandoghd-image.tar docker-daemon:fandoghd:latest
compose() { docker compose -f /files/compose.yaml "$@"; }
admin() { compose exec -T fandoghd fandoghd admin --data $data "$@"; }
healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$(compose ps -q fandoghd)")" = healthy ]; }
compose up -d
eventually ready
within=200 eventually healthy
printf 'a-long-password' | admin user add ann --password-stdin
admin key add ann /dev/stdin <ann.pub
admin token create ann >token
compose logs | grep -i 'without limits' && fail 'no limits' || true
compose exec -T fandoghd fandoghd doctor
app app
push app v1
docker login -u ann --password-stdin localhost:8080 <token
docker pull -q localhost:8080/ann/app:v1
[ "$(docker run --rm localhost:8080/ann/app:v1 /bin/sh -c 'read made </made; echo $made')" = built ]
digest=$(api images/app/versions/v1 | grep -o 'sha256:[0-9a-f]*' | head -n 1)

part 'a restart while a build runs hands it back'
app slow 'RUN echo sleeps; sleep 8'
pushes slow v1
compose restart
wait $pushing && fail 'the push did not tell of the restart' || grep -q 'requeued and starts again' slow.out || fail "$(cat slow.out)"
eventually is slow v1 BUILT

part 'killed, it comes back'
pushes slow v2
kill -KILL "$(docker inspect -f '{{.State.Pid}}' "$(compose ps -q fandoghd)")"
wait $pushing && fail 'the push did not fail' || true
eventually is slow v2 BUILT

part 'a new container has the same data'
compose down
compose up -d
eventually ready
docker rmi -f localhost:8080/ann/app:v1 >/dev/null
docker pull -q localhost:8080/ann/app:v1
api images/app/versions/v1 | grep >/dev/null "$digest"
push app v2
admin check
compose down -v
[ -z "$(ip netns list)" ]
systemctl stop docker docker.socket containerd
