# The package under systemd: installing, starting, restarts during builds, crashes, hangs, an upgrade.
[ "$(cat /proc/1/comm)" = systemd ]
[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]

part 'an older package is installed, and does not start by itself'
apt-get install -y -qq /files/older.deb >/dev/null
now_is inactive
fandoghd doctor --config /etc/fandogh/config.yaml
systemctl enable --now fandoghd 2>/dev/null # it returns when the daemon is ready
now_is active
[ "$(stat -c %a $data)" = 700 ]
[ ! -e ann ] && ssh-keygen -q -t ed25519 -N '' -f ann
printf 'a-long-password' | fandoghd admin --data $data user add ann --password-stdin
fandoghd admin --data $data key add ann ann.pub
fandoghd admin --data $data token create ann >token
eventually ready
app app
push app v1
digest=$(api images/app/versions/v1 | grep -o '"digest":"[^"]*"')
not has 'without limits'

part 'a step that takes all its memory is no affair of the service'
fandoghd admin --data $data namespace limits ann --memory 64MiB >/dev/null
app hog 'RUN dd if=/dev/zero of=/dev/null bs=200M count=1'
before=$(mainpid)
if push hog v1 2>hog.out; then fail 'it was built'; fi
grep -q 'ran out of memory' hog.out || fail "$(cat hog.out)"
[ "$(mainpid)" = "$before" ]
fandoghd admin --data $data namespace limits ann --memory 0 >/dev/null

part 'a restart while a build runs hands it back'
app slow 'RUN echo sleeps; sleep 8'
pushes slow v1
systemctl restart fandoghd
wait $pushing && fail 'the push did not tell of the restart' || grep -q 'requeued and starts again' slow.out || fail "$(cat slow.out)"
eventually is slow v1 BUILT
[ "$(restarts)" = 0 ]
[ "$(pgrep -c -x buildkitd)" = 1 ]

part 'killed, alone or with all that it started, it comes back and builds again'
n=0
for whom in main all; do
	pushes slow killed-$whom
	systemctl kill --kill-whom=$whom -s KILL fandoghd
	wait $pushing && fail 'the push did not fail' || true
	n=$((n + 1))
	eventually restarted $n
	eventually ready
	[ "$(restarts)" = $n ]
	eventually is slow killed-$whom BUILT
	[ "$(pgrep -c -x buildkitd)" = 1 ]
done

part 'a reload changes what may change, and a file with a fault changes nothing'
echo 'log: {level: debug}' >>/etc/fandogh/config.yaml
before=$(mainpid)
systemctl reload fandoghd
eventually has 'setting changed: setting=log.level from=info to=debug'
cp /etc/fandogh/config.yaml config.yaml
echo 'nonsense: true' >>/etc/fandogh/config.yaml
systemctl reload fandoghd
eventually has 'the configuration was not reloaded, and everything stays as it was'
eventually sh -c 'systemctl status fandoghd | grep >/dev/null "Status: .*The configuration was not reloaded"'
cp config.yaml /etc/fandogh/config.yaml
systemctl reload fandoghd
eventually sh -c 'systemctl status fandoghd | grep >/dev/null "Status: .*Configuration reloaded"'
[ "$(mainpid)" = "$before" ]

part 'one that hangs is started again'
mkdir -p /run/systemd/system/fandoghd.service.d
printf '[Service]\nWatchdogSec=6s\nTimeoutAbortSec=3s\n' >/run/systemd/system/fandoghd.service.d/test.conf
systemctl daemon-reload
systemctl restart fandoghd
eventually ready
before=$(mainpid) n=$(restarts)
kill -STOP "$before"
eventually restarted $((n + 1))
eventually ready
[ "$(mainpid)" != "$before" ]
has 'Watchdog timeout'
rm -r /run/systemd/system/fandoghd.service.d
systemctl daemon-reload
systemctl restart fandoghd

part 'an upgrade while a build runs: the new program goes on with it'
eventually ready
older=$(fandoghd --version)
dpkg --unpack /files/fandogh.deb >/dev/null # which takes long; what the package does is done when it is configured
pushes slow v2
dpkg --configure fandogh
[ "$(fandoghd --version)" != "$older" ]
wait $pushing && fail 'the push did not tell of the restart' || true
eventually is slow v2 BUILT
grep -q 'log: {level: debug}' /etc/fandogh/config.yaml
[ "$(api images/app/versions/v1 | grep -o '"digest":"[^"]*"')" = "$digest" ]
systemctl start fandoghd # is active
[ "fandoghd version $(curl -fsS http://127.0.0.1:8080/api/version | sed -n 's/.*"version":"\([^"]*\)".*/\1/p')" = "$(fandoghd --version)" ] || fail "$(curl -fsS http://127.0.0.1:8080/api/version) is not $(fandoghd --version)"
push app v2
fandoghd admin --data $data check
not has "Got notification message from PID .* main PID $(mainpid)" # as the older one's buildkitd does, when it starts and ends
