# What the kernel holds builds to with control groups of version 2, by the tests that are run with whichever a machine has.
# delegated COMMAND…: as a service that has its control groups to itself.
delegated() {
	systemd-run -q --wait --pipe -p Delegate=yes -p OOMPolicy=continue -p WorkingDirectory=/files -E HOME=/root -E FANDOGH_TEST_TOOLS=/files "$@"
}
part 'the daemon'
delegated /files/fandoghd.test -test.v -test.run '^TestScripts$/^script$/^buildlimits$'
part 'the managed buildkitd'
delegated /files/buildkitd.test -test.v -test.run '^(TestStepsAreLimited|TestDiskIsNotFilled|TestDiskWasFull|TestFilesOfADiskAreNotUsedUp|TestKilledDaemonTakesBuildkitdAlong)$'
part 'nothing of them stays'
[ -z "$(find /sys/fs/cgroup -name 'fandogh-*')" ]
[ -z "$(ip netns list)" ]
