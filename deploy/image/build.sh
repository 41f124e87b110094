#!/usr/bin/env bash
# Has a fandoghd build the image of fandoghd, and saves it as an OCI archive. Nothing else is left.
# Usage: build.sh DIRECTORY-OF-BINARIES PACKAGE DEBIAN.tar VERSION ARCHIVE
set -euo pipefail
bin=$(cd "$1" && pwd) package=$2 debian=$3 version=$4 archive=$5
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
daemon=

cleanup() {
	status=$?
	[ $status -eq 0 ] || { echo "no image was made; the daemon's log ends with:" >&2; tail -n 20 "$work/log" >&2 || true; }
	[ -z "$daemon" ] || { kill "$daemon" && wait "$daemon" || true; } 2>/dev/null
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT

mkdir "$work/context"
cp "$here/Dockerfile" "$work/context"
ln "$debian" "$work/context/debian.tar" 2>/dev/null || cp "$debian" "$work/context/debian.tar"
cp "$package" "$work/context/fandogh.deb"

FANDOGH_UPLOADS_MAX_ARCHIVE=2GiB "$bin/fandoghd" serve --data "$work/data" --http 127.0.0.1:0 --ssh 127.0.0.1:0 >/dev/null 2>"$work/log" &
daemon=$!
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$work/data/addresses.json"; }
deadline=$((SECONDS + 60))
until [ -s "$work/data/addresses.json" ] && curl -fsS "http://$(field http)/readyz" >/dev/null 2>&1; do
	[ $SECONDS -lt $deadline ] && kill -0 "$daemon" || exit 1
	sleep 0.1
done
printf 'a-long-password' | "$bin/fandoghd" admin --data "$work/data" user add fandogh --password-stdin
FANDOGH_TOKEN=$("$bin/fandoghd" admin --data "$work/data" token create fandogh)
export FANDOGH_TOKEN
cd "$work/context"
HOME=$work FANDOGH_SERVER=http://$(field http) "$bin/fandogh" image init --name fandoghd
HOME=$work FANDOGH_SERVER=http://$(field http) "$bin/fandogh" image publish --version "$version"
rm -f "$archive"
skopeo copy -q --src-tls-verify=false --src-creds "fandogh:$FANDOGH_TOKEN" "docker://$(field http)/fandogh/fandoghd:$version" "oci-archive:$archive:fandoghd:$version"
echo "made $archive"
