package buildkit

import (
	"strings"
	"testing"

	solver "github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/sourcepolicy"
	policy "github.com/moby/buildkit/sourcepolicy/pb"

	"github.com/fandoghpaas/fandogh/catalog"
)

// BuildKit's own engine applies the policy.
func TestSourcePolicy(t *testing.T) {
	p := sourcePolicy(catalog.ImageRef{Namespace: "Ali", Name: "shop"}, []string{"127.0.0.1:8080", "fandogh.example.org", "[::1]:8080"})
	const digest = "@sha256:d7cb91547a7463980db76285da6ef9b25e89c30bb808ee7fef86261956104ee4"
	for source, allowed := range map[string]bool{
		"docker-image://127.0.0.1:8080/ali/base:1.0":               true,
		"docker-image://127.0.0.1:8080/ali/base" + digest:          true,
		"docker-image://fandogh.example.org/ali/base:1.0" + digest: true,
		"docker-image://[::1]:8080/ali/base:1.0":                   true,
		"docker-image://docker.io/library/alpine:3":                true,
		"docker-image://fandogh.example.org.evil.org/bob/base:1":   true,
		"docker-image://127.0.0.1:8080/bob/base:1.0":               false,
		"docker-image://127.0.0.1:8080/alice/base:1.0":             false,
		"docker-image://fandogh.example.org/bob/base" + digest:     false,
		"docker-image://127.0.0.1:8080/ali" + digest:               false,
		"docker-image://[::1]:8080/bob/base" + digest:              false,
		"docker-image://127.0.0.1:08080/bob/base" + digest:         false,
		"docker-image://127.0.0.1:1/bob/base" + digest:             false,
		"docker-image://127.0.0.1/bob/base:1.0" + digest:           false,
		"docker-image://fandogh.example.org:443/bob/base" + digest: false,
		"docker-image://Fandogh.Example.org/bob/base" + digest:     false,
		"docker-image://[::1]/bob/base" + digest:                   false,
	} {
		_, err := sourcepolicy.NewEngine([]*policy.Policy{p}).Evaluate(t.Context(), &solver.SourceOp{Identifier: source})
		if (err == nil) != allowed {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// A name stands for the image of a digest, as far as that is allowed.
func TestPinnedImages(t *testing.T) {
	const digest = "@sha256:d7cb91547a7463980db76285da6ef9b25e89c30bb808ee7fef86261956104ee4"
	p := sourcePolicy(catalog.ImageRef{Namespace: "ali", Name: "shop"}, []string{"127.0.0.1:8080"},
		catalog.BaseImage{Ref: "docker.io/library/alpine:3", Digest: digest[1:]}, catalog.BaseImage{Ref: "127.0.0.1:8080/ali/base:1" + digest, Digest: digest[1:]},
		catalog.BaseImage{Ref: "127.0.0.1:8080/bob/base:1", Digest: digest[1:]})
	for source, want := range map[string]string{
		"docker-image://docker.io/library/alpine:3":                                         "docker-image://docker.io/library/alpine:3" + digest,
		"docker-image://docker.io/library/alpine:3.1":                                       "docker-image://docker.io/library/alpine:3.1",
		"docker-image://127.0.0.1:8080/ali/base:1":                                          "docker-image://127.0.0.1:8080/ali/base:1" + digest,
		"docker-image://127.0.0.1:8080/bob/base:1":                                          "",
		"docker-image://docker.io/library/alpine:3" + digest[:20] + strings.Repeat("0", 52): "docker-image://docker.io/library/alpine:3" + digest[:20] + strings.Repeat("0", 52),
	} {
		op := &solver.SourceOp{Identifier: source}
		engine := sourcepolicy.NewEngine([]*policy.Policy{p})
		for range 3 { // as BuildKit does while something changes
			changed, err := engine.Evaluate(t.Context(), op)
			if err != nil {
				op.Identifier = ""
			}
			if !changed || err != nil {
				break
			}
		}
		if op.Identifier != want {
			t.Errorf("%s: got %q, want %q", source, op.Identifier, want)
		}
	}
}
