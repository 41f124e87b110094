//go:build linux

package dockerfile

import (
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"
)

func TestOnlyDefiniteStatesAreRemembered(t *testing.T) {
	image := llb.Image("docker.io/library/base:1@sha256:" + strings.Repeat("a", 64))
	mkdir := func(on llb.State) llb.State { return on.File(llb.Mkdir("/app", 0o755)) }
	for name, test := range map[string]struct {
		state llb.State
		want  bool
	}{
		"an empty image":              {mkdir(llb.Scratch()), true},
		"a base by its digest":        {image, true},
		"a directory on it":           {mkdir(image), true},
		"a copy from another":         {mkdir(llb.Scratch()).File(llb.Copy(image, "/etc/passwd", "/")), true},
		"a base by its tag":           {mkdir(llb.Image("docker.io/library/base:1")), false},
		"a step that ran":             {mkdir(image.Run(llb.Shlex("true")).Root()), false},
		"a copy from a step that ran": {image.File(llb.Copy(image.Run(llb.Shlex("true")).Root(), "/x", "/")), false},
		"a copy from the context":     {image.File(llb.Copy(llb.Local("context"), "/x", "/")), false},
		"a download":                  {image.File(llb.Copy(llb.HTTP("http://images.test/x"), "/x", "/")), false},
	} {
		t.Run(name, func(t *testing.T) {
			def, err := test.state.Marshal(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			g, err := newGraph(def.ToPB())
			if err != nil {
				t.Fatal(err)
			}
			if got := g.isDefinite(g.result()); got != test.want {
				t.Errorf("definite: %t, want %t", got, test.want)
			}
		})
	}
}
