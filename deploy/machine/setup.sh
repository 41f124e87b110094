#!/bin/sh
# Makes a Debian in a directory what TestMachine expects: root logs in by the key in a directory, the second disk is mounted, and it
# boots with little.
# Usage: setup.sh ROOT KEYS
set -eu
root=$1 keys=$2
mkdir -p "$root/root/.ssh" "$root/files" "$root/usr/local/lib/docker/cli-plugins"
cp "$keys/key.pub" "$root/root/.ssh/authorized_keys"
ln -s /files/docker-compose "$root/usr/local/lib/docker/cli-plugins/docker-compose"
printf '/dev/vda / ext4 defaults 0 1\n/dev/vdb /files ext4 ro 0 0\n' >"$root/etc/fstab"
printf '[Match]\nName=eth0\n[Network]\nDHCP=yes\n' >"$root/etc/systemd/network/80-eth0.network"
printf 'nameserver 10.0.2.3\n' >"$root/etc/resolv.conf"
echo fandogh-machine >"$root/etc/hostname"
printf '127.0.0.1 localhost fandogh-machine\n' >"$root/etc/hosts"
chroot "$root" systemctl -q enable systemd-networkd ssh
chroot "$root" systemctl -q disable docker docker.socket containerd systemd-timesyncd apt-daily.timer apt-daily-upgrade.timer \
	apparmor e2scrub_reap e2scrub_all.timer fstrim.timer dpkg-db-backup.timer # Docker loads the only profile that is needed
# What its disks need and nothing else: to unpack and to try every driver there is takes longer than the rest of the boot.
printf 'virtio_pci\nvirtio_blk\next4\n' >>"$root/etc/initramfs-tools/modules"
sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
chroot "$root" update-initramfs -u
