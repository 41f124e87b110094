# All that was acknowledged is there, and what was being built is built.
eventually ready
[ "$(wc -l <acknowledged)" = 3 ]
while read -r _ version commit digest; do
	is cut "$version" BUILT || fail "$version is $(state cut "$version")"
	api "images/cut/versions/$version" | grep >/dev/null "$digest" || fail "$version has another digest"
	[ "$(git ls-remote ssh://git@127.0.0.1:2222/ann/cut "refs/tags/$version" | cut -f1)" = "$commit" ] || fail "$version is at another commit"
done <acknowledged
eventually is slow cut BUILT
fandoghd admin --data $data check
