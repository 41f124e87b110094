//go:build linux

package buildkit

import (
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
)

// What is in a base is asked for once, and another base of the same tag is not taken for it.
func TestDirectoriesOfABaseAreRemembered(t *testing.T) {
	base := func(version, kind string) {
		env.Solve(t, env.Request("ann", "seen-base", version, buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + kind + "\n"}).WithBusybox()))
	}
	base("1", "RUN mkdir /place")
	base("2", "RUN ln -s /elsewhere /place && mkdir /elsewhere")
	app := func(image, from string) string {
		r := env.Request("ann", image, "1", buildkittest.NewTree(map[string]string{
			"Dockerfile": "FROM " + env.Registry.Host() + "/ann/seen-base:" + from + "\nCOPY file /place/\n", "file": "x"}))
		env.Solve(t, r)
		for name := range env.ImageFiles(t, r) {
			if strings.HasSuffix(name, "/file") {
				return name
			}
		}
		return ""
	}
	for i, test := range []struct{ from, want string }{{"1", "place/file"}, {"1", "place/file"}, {"2", "elsewhere/file"}, {"1", "place/file"}} {
		if got := app("seen-app"+string(rune('a'+i)), test.from); got != test.want {
			t.Errorf("on base %s the file is %q, want %q", test.from, got, test.want)
		}
	}
	if env.Solver.(*Solver).seen.Len() == 0 {
		t.Error("nothing was remembered")
	}
}
