#!/bin/sh
# Makes a Debian in a directory what TestMachine expects: root logs in by the key in a directory, and docker has a compose.
# Usage: setup.sh ROOT KEYS COMPOSE
set -eu
root=$1 keys=$2 compose=$3
mkdir -p "$root/root/.ssh" "$root/usr/local/lib/docker/cli-plugins"
cp "$keys/key.pub" "$root/root/.ssh/authorized_keys"
cp "$compose" "$root/usr/local/lib/docker/cli-plugins/docker-compose"
printf '/dev/vda / ext4 defaults 0 1\n' >"$root/etc/fstab"
printf '[Match]\nName=eth0\n[Network]\nDHCP=yes\n' >"$root/etc/systemd/network/80-eth0.network"
printf 'nameserver 10.0.2.3\n' >"$root/etc/resolv.conf"
echo fandogh-machine >"$root/etc/hostname"
printf '127.0.0.1 localhost fandogh-machine\n' >"$root/etc/hosts"
chroot "$root" systemctl -q enable systemd-networkd ssh
chroot "$root" systemctl -q disable docker docker.socket containerd systemd-timesyncd apt-daily.timer apt-daily-upgrade.timer
