# The package goes, and nothing of it stays but the data; installed again, it serves them.
eventually ready
digest=$(api images/app/versions/v1 | grep -o 'sha256:[0-9a-f]*' | head -n 1)
apt-get remove -y -qq fandogh >/dev/null
not pgrep -x 'fandoghd|buildkitd|runc'
[ ! -e /sys/fs/cgroup/system.slice/fandoghd.service ]
[ -z "$(ip netns list)" ] || fail "$(ip netns list)"
nft list tables | grep >/dev/null fdg && fail "$(nft list tables)" || true
mount | grep >/dev/null "$data" && fail "$(mount | grep $data)" || true
[ -e /etc/fandogh/config.yaml ]
apt-get purge -y -qq fandogh >purged 2>&1
grep -q "Images and accounts are still in $data" purged
[ ! -e /etc/fandogh ] || fail "$(find /etc/fandogh)"
[ -e $data/fandogh.db ]
apt-get install -y -qq /files/fandogh.deb >/dev/null
systemctl start fandoghd
eventually ready
api images/app/versions/v1 | grep >/dev/null "$digest"
apt-get purge -y -qq fandogh >/dev/null
rm -r $data
