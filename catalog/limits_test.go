package catalog

import (
	"testing"
	"time"
)

func TestNamespaceLimitsAsText(t *testing.T) {
	for want, l := range map[string]NamespaceLimits{
		"none": {},
		"cpus=1.5 memory=67108864 timeout=1m30s running=2": {Running: 2,
			Build: BuildLimits{CPUs: 1.5, Memory: 64 << 20, Timeout: 90 * time.Second}},
		"pids=48 disk=1 log=2 waiting=3 quota-bytes=4 quota-images=none quota-versions=5 quota-builds=none": {Waiting: 3,
			Build: BuildLimits{PIDs: 48, Disk: 1, Log: 2},
			Quota: Quota{Bytes: 4, Images: NoQuota, Versions: 5, Builds: NoQuota}},
	} {
		if got := l.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
