package github_test

import (
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestSeveralImagesOfOneConnection(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	w := f.repository("acme/mono")
	w.commit(".fandogh/config.yml", "images: [{name: api, context: api}, {name: web, context: web}]\n")
	w.commit("api/Dockerfile", "FROM scratch\n")
	commit := w.commit("web/Dockerfile", "FROM scratch\n")
	shop := h.connect("shop", "acme/mono", func(s *catalog.GitHubSettings) {
		s.Tags, s.Branches, s.Context, s.Token = ptr("v* */v* @acme/**"), ptr("main"), ptr("elsewhere"), ptr("t")
	})
	f.set(func(f *forge) { f.password = "t" })
	release := func(tag, note string) {
		t.Helper()
		w.git("tag", tag)
		h.deliver("push", pushed("acme/mono", "refs/tags/"+tag, w.push(tag)))
		wantText(t, tag, h.processed(shop), note)
	}
	release("v1", "version api:v1, build 1; version web:v1, build 1")
	h.await(h.find("api"), "v1", catalog.Built)
	h.await(h.find("web"), "v1", catalog.Built)
	if options, ok := h.built.Load("ann/web:v1"); !ok || options.(catalog.BuildOptions).Context != "web" {
		t.Errorf("built with %+v", options)
	}
	testkit.Eventually(t, "a status of each", func() bool {
		all := strings.Join(f.sent(), "\n")
		return strings.Contains(all, commit+" success fandogh/ann/api v1 ") && strings.Contains(all, commit+" success fandogh/ann/web v1 ")
	})

	release("web/v2.0+7", "version web:v2.0_7, build 1")
	h.await(h.find("web"), "v2.0_7", catalog.Built)
	release("@acme/utils@1.0", "tag @acme/utils@1.0 is not built: it names none of the images that its commit lists")
	release("api/v1", "refused: tag api/v1 would be version v1, which there is already of tag v1")
	h.deliver("push", pushed("acme/mono", "refs/heads/main", w.push("main")))
	wantText(t, "main", h.processed(shop), "version api:main-"+commit[:7]+", build 1; version web:main-"+commit[:7]+", build 1")
	if got := h.versions(h.find("web")); got != "main-"+commit[:7]+" v2.0_7 v1" {
		t.Errorf("web: %s", got)
	}
	if got := h.versions(shop); got != "" {
		t.Errorf("shop itself: %s", got)
	}

	// What a sync finds is not built again, and an image without sources of its own is not connected.
	if err := h.service.Sync(t.Context(), shop); err != nil {
		t.Fatal(err)
	}
	wantText(t, "sync", h.processed(shop), "")
	if got := h.versions(h.find("web")); strings.Count(got, " ") != 2 {
		t.Errorf("web: %s", got)
	}
	if _, err := h.service.Connect(t.Context(), h.find("web"), shop.OwnerID, catalog.GitHubSettings{Repository: "acme/mono"}); catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("connected: %v", err)
	}
}

// find returns an image that there is.
func (e *env) find(name string) catalog.Image {
	e.t.Helper()
	image, err := e.store.Image(e.t.Context(), catalog.ImageRef{Namespace: "ann", Name: name})
	if err != nil {
		e.t.Fatal(err)
	}
	return image
}
