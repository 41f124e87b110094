package builder_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// secretsOf gives a build its own name.
type secretsOf struct{ err error }

func (s secretsOf) ForBuild(_ context.Context, b catalog.Build) ([]catalog.OpenSecret, error) {
	return []catalog.OpenSecret{{Value: []byte(b.Image.String() + ":" + b.Version)}}, s.err
}

// Each attempt has the secrets that its build gets then.
func TestBuildsAreGivenSecrets(t *testing.T) {
	h := newEnv(t)
	image := h.image("ann", "app")
	var given []string
	solve := func(_ context.Context, r builder.SolveRequest, _ func(builder.Event)) (builder.SolveResult, error) {
		for _, secret := range r.Secrets {
			given = append(given, string(secret.Value))
		}
		return builder.SolveResult{Digest: digest}, nil
	}
	b := h.builder(solve, func(c *builder.Config) { c.Secrets = secretsOf{} })
	h.run(b)
	queued := h.submit(b, h.newBuild(image, "v1", commitA))
	if build, _ := h.follow(b, queued[0].ID); build.State != catalog.Built || len(given) != 1 || given[0] != "ann/app:v1" {
		t.Errorf("%s with %q: %s", build.State, given, build.Message)
	}
}

func TestSecretsThatCannotBeRead(t *testing.T) {
	h := newEnv(t)
	image := h.image("ann", "app")
	solve := func(context.Context, builder.SolveRequest, func(builder.Event)) (builder.SolveResult, error) {
		t.Error("a build ran without its secrets")
		return builder.SolveResult{}, nil
	}
	b := h.builder(solve, func(c *builder.Config) {
		c.Secrets = secretsOf{catalog.Errorf(catalog.Internal, "the key file is another")}
		c.MaxAttempts = 1
	})
	h.run(b)
	queued := h.submit(b, h.newBuild(image, "v1", commitA))
	if build, _ := h.follow(b, queued[0].ID); build.Outcome != catalog.OutcomeInfrastructure || strings.Contains(build.Message, "key file") {
		t.Errorf("%s: %s", build.Outcome, build.Message)
	}
}
