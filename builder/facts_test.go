package builder_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// What is to be attested of a build is what was in force, without a value that a secret has as well.
func TestFactsTellNoSecret(t *testing.T) {
	h := newEnv(t)
	image := h.image("ann", "app")
	b := h.builder(func(context.Context, builder.SolveRequest, func(builder.Event)) (builder.SolveResult, error) {
		return builder.SolveResult{Digest: digest, Dockerfile: "d/Dockerfile", DockerfileDigest: "sha256:d", Bases: []builder.Base{{Ref: "docker.io/library/alpine:3.20", Platform: "linux/amd64", Digest: "sha256:b"}, {Ref: "registry/ann/app:v1", Digest: "sha256:c"}}}, nil
	}, func(c *builder.Config) { c.Secrets = secretsOf{}; c.Labels = "revision" })
	h.run(b)
	n := h.newBuild(image, "v1", commitA)
	n.Options.Args = map[string]string{"URL": "https://user:ann/app:v1@example.com", "A": "b"} // the secret's value is ann/app:v1
	queued := h.submit(b, n)
	if build, _ := h.follow(b, queued[0].ID); build.State != catalog.Built {
		t.Fatal(build.Message)
	}
	waiting, err := h.store.ListUnattested(t.Context(), 0, 0)
	if err != nil || len(waiting) != 1 {
		t.Fatalf("%d builds, %v", len(waiting), err)
	}
	text, err := json.Marshal(waiting[0].Facts)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "ann/app:v1") {
		t.Errorf("it has the secret: %s", text)
	}
	for _, want := range []string{`"A":"b"`, `https://user:***@example.com`, `"labels":"revision"`, `"dockerfile":"d/Dockerfile"`, `alpine:3.20`, `registry/***`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("it lacks %s: %s", want, text)
		}
	}
}
