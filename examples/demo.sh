#!/usr/bin/env bash
# Walks one push from an empty data directory to a running container and leaves
# nothing behind. Usage: demo.sh DIRECTORY-OF-BINARIES
set -euo pipefail
bin=$(cd "$1" && pwd)
examples=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
daemon=

cleanup() {
	status=$?
	[ $status -eq 0 ] || { echo "demo failed; the daemon's log ends with:" >&2; tail -n 20 "$work/daemon.log" >&2 || true; }
	[ -z "$daemon" ] || { kill "$daemon" && wait "$daemon" || true; } 2>/dev/null
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT

say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$work/data/addresses.json"; }
wait_for() { # seconds command…
	deadline=$((SECONDS + $1)); shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || { echo "gave up waiting for: $*" >&2; return 1; }
		kill -0 "$daemon" || { echo "the daemon ended" >&2; return 1; }
		sleep 0.1
	done
}

say "start the daemon on an empty data directory"
"$bin/fandoghd" serve --data "$work/data" >"$work/addresses" 2>"$work/daemon.log" &
daemon=$!
wait_for 30 test -s "$work/data/addresses.json"
http=$(field http) ssh=$(field ssh)
wait_for 60 curl -fsS "http://$http/readyz"
cat "$work/addresses"

say "create the user demo, a key and a token"
ssh-keygen -q -t ed25519 -N '' -C demo -f "$work/key"
printf 'demo-password' | "$bin/fandoghd" admin --data "$work/data" user add demo --password-stdin
"$bin/fandoghd" admin --data "$work/data" key add demo "$work/key.pub"
token=$("$bin/fandoghd" admin --data "$work/data" token create demo)
export GIT_SSH_COMMAND="ssh -i $work/key -p ${ssh##*:} -o IdentitiesOnly=yes -o UserKnownHostsFile=$work/known_hosts -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=demo GIT_AUTHOR_EMAIL=demo@localhost GIT_COMMITTER_NAME=demo GIT_COMMITTER_EMAIL=demo@localhost

push() { # app tag option…
	app=$1 tag=$2; shift 2
	git -C "$work/$app" init -q -b main
	git -C "$work/$app" add -A
	git -C "$work/$app" commit -q -m "$app $tag"
	git -C "$work/$app" tag "$tag"
	git -C "$work/$app" push "$@" "git@${ssh%:*}:demo/$app" "$tag"
}

say "git push of a base image"
cp -r "$examples/base" "$work/base"
cp "$(command -v busybox)" "$work/base/busybox"
push base 1.0

say "git push of an app made FROM it"
cp -r "$examples/hello" "$work/hello"
push hello v1.0 -o "build-arg=REGISTRY=$http"

say "the catalog lists the version"
versions=$(curl -fsS -H "Authorization: JWT $token" "http://$http/api/images/hello/versions?state=BUILT")
echo "$versions"
grep -q '"v1.0"' <<<"$versions"

say "pull the image and run it"
export DOCKER_CONFIG="$work/docker"
"$bin/crane" auth login --insecure -u demo -p "$token" "$http" 2>/dev/null
mkdir -p "$work/bundle/rootfs"
"$bin/crane" export --insecure "$http/demo/hello:v1.0" - | tar -x -C "$work/bundle/rootfs"
(cd "$work/bundle" && runc spec && sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"\/app\/hello.sh"/' config.json)
runc run --bundle "$work/bundle" "fandogh-demo-$$" </dev/null | tee "$work/said"
grep -q 'HELLO FROM AN IMAGE THAT CAME BY GIT PUSH' "$work/said"

say "done: a push became an image that was pulled and run"
