//go:build linux

package buildkit

import (
	"strings"
	"testing"

	"github.com/distribution/reference"
	solver "github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/sourcepolicy"
	policy "github.com/moby/buildkit/sourcepolicy/pb"

	"github.com/fandoghpaas/fandogh/catalog"
)

// FuzzSourcePolicy has BuildKit's own engine apply the policy to images: of our registry, by whichever port, a build
// has those of its namespace alone.
func FuzzSourcePolicy(f *testing.F) {
	f.Add("127.0.0.1:8080/ali/base:1.0")
	f.Add("127.0.0.1:8080/bob/base:1.0")
	f.Add("127.0.0.1:80/ali/base")
	f.Add("FANDOGH.example.org/bob/base")
	f.Add("127.0.0.1:8080/ali/../bob/base")
	hosts := []string{"127.0.0.1:8080", "fandogh.example.org"}
	engine := sourcepolicy.NewEngine([]*policy.Policy{sourcePolicy(catalog.ImageRef{Namespace: "ali", Name: "shop"}, hosts)})
	f.Fuzz(func(t *testing.T, image string) {
		named, err := reference.ParseNormalizedNamed(image)
		if err != nil {
			return
		}
		_, err = engine.Evaluate(t.Context(), &solver.SourceOp{Identifier: "docker-image://" + named.String()})
		host, of := reference.Domain(named), reference.Path(named)
		want := true
		for _, ours := range hosts {
			if strings.EqualFold(port.ReplaceAllString(host, ""), port.ReplaceAllString(ours, "")) {
				want = host == ours && strings.HasPrefix(of, "ali/")
			}
		}
		if (err == nil) != want {
			t.Errorf("%s: %v, want it allowed %v", named, err, want)
		}
	})
}
