# A clock that jumps by a day, forth and back, while a build runs: nothing is lost, removed or built twice.
timedatectl set-ntp false 2>/dev/null || true
eventually ready
pushes slow forth
date -s "@$(($(date +%s) + 86400))" >/dev/null
wait $pushing || fail "$(cat slow.out)"
is slow forth BUILT
pushes slow back
date -s "@$(($(date +%s) - 86400))" >/dev/null
wait $pushing || fail "$(cat slow.out)"
is slow back BUILT
api images >/dev/null # by a token
ready
now_is active
push app clock
fandoghd admin --data $data check
