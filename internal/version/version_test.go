package version

import (
	"runtime/debug"
	"testing"
)

func TestOf(t *testing.T) {
	built := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "24f69c9"}
	for name, test := range map[string]struct {
		stamped string
		info    *debug.BuildInfo
		want    string
	}{
		"stamped":             {"v1.2.0-3-g24f69c9", built("v1.1.0", revision), "v1.2.0-3-g24f69c9"},
		"stamped without any": {"v1.2.0", nil, "v1.2.0"},
		"go install @v1.1.0":  {"", built("v1.1.0", revision), "v1.1.0"},
		"in a checkout":       {"", built("(devel)", debug.BuildSetting{Key: "vcs", Value: "git"}, revision), "24f69c9"},
		"no module version":   {"", built("", revision), "24f69c9"},
		"without git":         {"", built("(devel)"), "devel"},
		"no build info":       {"", nil, "unknown"},
	} {
		if got := of(test.stamped, test.info); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
