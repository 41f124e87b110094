# What the scripts here have in common. They run as root, in the home directory of the virtual machine of TestMachine.
set -euo pipefail
data=/var/lib/fandogh
export GIT_SSH_COMMAND='ssh -i /root/ann -o IdentitiesOnly=yes -o BatchMode=yes -o LogLevel=ERROR -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null'
export GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@localhost GIT_COMMITTER_NAME=Ann GIT_COMMITTER_EMAIL=ann@localhost

# part WORDS…: says what is done next, and how many seconds the script has taken.
part() { echo "== $* (after ${SECONDS}s)"; }

# fail WORDS…: ends the script, with the end of the daemon's log.
fail() {
	echo "FAILED: $*"
	journalctl -u fandoghd -n 30 --no-pager -o cat || true
	exit 1
}
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

# eventually COMMAND…: waits until it succeeds.
eventually() {
	local deadline=$((SECONDS + ${within:-400}))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || fail "timed out: $*"
		sleep 0.2
	done
}

# not COMMAND…: fails where it succeeds, which `!` does not.
not() {
	if "$@" >/dev/null 2>&1; then fail "succeeds: $*"; fi
}

journal() { journalctl -u fandoghd --no-pager -o cat "$@"; }
has() { journal | grep -- "$1" >/dev/null; } # a line of the daemon's log
mainpid() { systemctl show -P MainPID fandoghd; }
restarts() { systemctl show -P NRestarts fandoghd; }
restarted() { [ "$(restarts)" -ge "$1" ]; }
ready() { curl -fsS http://127.0.0.1:8080/readyz; }
api() { curl -fsS -H "Authorization: JWT $(cat token)" "http://127.0.0.1:8080/api/$1"; }
state() { api "images/$1/versions/$2" | sed -n 's/.*"state":"\([A-Z_]*\)".*/\1/p'; }
is() { [ "$(state "$1" "$2")" = "$3" ]; } # IMAGE VERSION STATE
now_is() { [ "$(systemctl is-active fandoghd)" = "$1" ]; }

# app NAME [LINE…]: a repository whose image has these steps. They are done anew when the file stamp changes.
app() {
	local name=$1
	shift
	rm -rf "$name" && mkdir "$name" && cp /bin/busybox "$name" && echo first >"$name/stamp"
	{
		printf 'FROM scratch\nCOPY busybox /bin/sh\nCOPY busybox /bin/sleep\nCOPY busybox /bin/dd\nCOPY stamp /\nRUN echo built >/made\n'
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$name/Dockerfile"
	git -C "$name" init -q -b main
	git -C "$name" add -A
	git -C "$name" commit -q -m first
	git -C "$name" remote add fandogh "ssh://git@127.0.0.1:2222/ann/$name"
}

# push NAME TAG: a commit and a tag of it, which is built.
push() {
	git -C "$1" commit -q --allow-empty -m "$2"
	git -C "$1" tag "$2"
	git -C "$1" push -q fandogh "$2"
}

# pushes NAME TAG: the same in the background, until the build runs; what it said is in NAME.out and its process is $pushing.
pushes() {
	echo "$2" >"$1/stamp"
	git -C "$1" commit -q -a -m "$2"
	git -C "$1" tag "$2"
	git -C "$1" push fandogh "$2" >"$1.out" 2>&1 &
	pushing=$!
	eventually is "$1" "$2" BUILDING
	eventually grep -q 'sleeps' "$1.out"
}
