package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/web"
)

// otherContents are of one image, whatever is asked for.
type otherContents struct {
	fakeContents
	content api.ImageContent
}

func (o *otherContents) Content(context.Context, catalog.ImageRef, string) (api.ImageContent, error) {
	return o.content, nil
}

// The page of a version says what holds for its kind, and nothing else.
func TestKindsOfVersions(t *testing.T) {
	contents := &otherContents{}
	e := newEnv(t, func(c *web.Config) { c.Contents = contents })
	now := time.Now()
	e.finish("v3", catalog.OutcomeBuilt)
	_, err := e.store.QueueBuilds(t.Context(), []catalog.NewBuild{{ImageID: e.image.ID, Version: "pushed", Trigger: catalog.TriggerRegistry, UserID: e.users["ann"].ID}})
	e.must(err)
	build, err := e.store.ClaimBuild(t.Context(), "me", 100, now, now.Add(time.Hour))
	e.must(err)
	e.must(e.store.FinishBuild(t.Context(), build.ID, "me", catalog.BuildResult{Outcome: catalog.OutcomeBuilt, Digest: "sha256:" + strings.Repeat("2", 64), EndedAt: now}))
	b := e.signedIn("ann")
	const pushed, built = "/images/ann/app/pushed", "/images/ann/app/v1"
	amd64, arm64 := "linux/amd64", "linux/arm64"
	for _, c := range []struct {
		what, path  string
		platforms   []string
		has, hasNot []string
	}{
		{"an image that was built", built, []string{amd64}, []string{"docker pull registry.test:8080/ann/app:v1", "Git tag", "Signature of the tag", "Files of the image", "Configuration"}, []string{"helm"}},
		{"an image that was pushed", pushed, []string{amd64}, []string{"docker pull registry.test:8080/ann/app:pushed", "Files of the image"}, []string{"Git tag", "Signature of the tag"}},
		{"its build", pushed + "/1", nil, []string{"image push"}, []string{"Git tag"}},
		{"a chart", pushed, nil, []string{"<pre>registry.test:8080/ann/app:pushed</pre>", "helm"}, []string{"docker pull", "Platforms", "/files", "Configuration"}},
		{"an image for two platforms", pushed, []string{amd64, arm64}, []string{`Layers <small><code dir="ltr">linux/amd64`, `Configuration <small><code dir="ltr">linux/amd64`}, nil},
	} {
		contents.content = api.ImageContent{Platforms: c.platforms, Layers: []api.Layer{{Digest: "sha256:1", Size: 1}}}
		if len(c.platforms) > 0 {
			contents.content.Platform = c.platforms[0]
		}
		body := b.get(c.path).body
		for _, text := range c.has {
			if !strings.Contains(body, text) {
				t.Errorf("the page of %s does not say %q", c.what, text)
			}
		}
		for _, text := range c.hasNot {
			if strings.Contains(body, text) {
				t.Errorf("the page of %s says %q", c.what, text)
			}
		}
	}
}

// What is printed to be copied works as it stands: a version that was not built can't be pulled.
func TestPullsWhatWasBuilt(t *testing.T) {
	e := newEnv(t)
	b := e.signedIn("ann")
	if body := b.get("/images/ann/app").body; !strings.Contains(body, "docker pull registry.test:8080/ann/app:v1</pre>") {
		t.Error("the newest version that was built is not the one to pull")
	}
	image, err := e.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "empty"}, OwnerID: e.users["ann"].ID})
	e.must(err)
	if body := b.get("/images/ann/" + image.Ref.Name).body; strings.Contains(body, "docker pull") {
		t.Error("of an image without versions one is to be pulled")
	}
}

// However much an image says about itself, a page of it is read.
func TestEndlessConfiguration(t *testing.T) {
	endless := strings.Repeat("<", 1<<20)
	content := api.ImageContent{Platforms: []string{"linux/amd64"}, Layers: []api.Layer{{Digest: "sha256:1", CreatedBy: endless}}}
	content.Config.Labels = map[string]string{"a": "first", endless: endless}
	for range 5000 {
		content.Config.Env = append(content.Config.Env, "A=1")
	}
	e := newEnv(t, func(c *web.Config) { c.Contents = &otherContents{content: content} })
	got := e.signedIn("ann").get("/images/ann/app/v1")
	if got.StatusCode != http.StatusOK || len(got.body) > 1<<20 || !strings.Contains(got.body, "a=first") || !strings.Contains(got.body, "shortened") {
		t.Errorf("%s, %d bytes", got.Status, len(got.body))
	}
}
