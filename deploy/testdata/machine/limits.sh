# What the kernel holds builds to with control groups of version 2, by the script that is run with whichever a machine has.
systemd-run -q --wait --pipe -p Delegate=yes -p OOMPolicy=continue -p WorkingDirectory=/files -E HOME=/root -E FANDOGH_TEST_TOOLS=/files \
	/files/fandoghd.test -test.v -test.run '^TestScripts$/^script$/^buildlimits$'
[ -z "$(find /sys/fs/cgroup -name 'fandogh-*')" ]
[ -z "$(ip netns list)" ]
