package builder_test

import (
	"context"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// imageOf makes an image that is built from the repository of another.
func (e *env) imageOf(source catalog.Image, name string) catalog.Image {
	e.t.Helper()
	image, err := e.store.CreateImage(e.t.Context(), catalog.NewImage{
		Ref: catalog.ImageRef{Namespace: source.Ref.Namespace, Name: name}, OwnerID: source.OwnerID, SourceID: source.ID,
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return image
}

// The builds of one tag, which end at once, leave it while one image of it is built.
func TestTagOfSeveralImages(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails map[string]bool // by image
		stays bool
	}{
		{"all built", nil, true},
		{"one fails", map[string]bool{"web": true}, true},
		{"all fail", map[string]bool{"api": true, "web": true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t)
			shop := e.image("ann", "shop")
			api, web := e.imageOf(shop, "api"), e.imageOf(shop, "web")
			started, end := make(chan string, 2), make(chan struct{})
			b := e.builder(func(_ context.Context, r builder.SolveRequest, _ func(builder.Event)) (builder.SolveResult, error) {
				started <- r.As.Tag
				<-end
				if c.fails[r.Build.Image.Name] {
					return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: "it is broken"}
				}
				return builder.SolveResult{Digest: digest}, nil
			})
			e.sources.tag(shop.Ref, "v1+5", commitA)
			var builds []catalog.NewBuild
			for _, i := range []catalog.Image{api, web} {
				builds = append(builds, catalog.NewBuild{ImageID: i.ID, SourceID: shop.ID, Version: "v1_5", Tag: "v1+5", Trigger: catalog.TriggerPush, Commit: commitA, UserID: i.OwnerID})
			}
			queued := e.submit(b, builds...)
			e.run(b)
			for range queued {
				if tag := receive(t, started); tag != "v1+5" {
					t.Errorf("built as %s", tag)
				}
			}
			close(end)
			for _, q := range queued {
				build, lines := e.follow(b, q.ID)
				if c.fails[build.Image.Name] {
					wantLog(t, lines, "Fix it and push v1+5 again")
				}
			}
			if e.sources.hasTag(shop.Ref, "v1+5") != c.stays {
				t.Errorf("the tag stays: %v", !c.stays)
			}
			if len(c.fails) == 0 {
				return
			}
			if !e.sources.kept[commitA] {
				t.Error("the commit is not kept")
			}
			c.fails = nil
			again, err := b.Rebuild(t.Context(), web.ID, "v1_5", web.OwnerID, nil)
			if err != nil {
				t.Fatal(err)
			}
			receive(t, started)
			e.follow(b, again.ID)
			if !e.sources.hasTag(shop.Ref, "v1+5") || e.sources.hasTag(web.Ref, "v1_5") {
				t.Error("a rebuild does not put back the tag")
			}
		})
	}
}

func TestCancelledImageLeavesTheTagToTheOthers(t *testing.T) {
	e := newEnv(t)
	shop := e.image("ann", "shop")
	api := e.imageOf(shop, "api")
	b := e.builder(built) // which does not run
	e.sources.tag(shop.Ref, "v1", commitA)
	var builds []catalog.NewBuild
	for _, i := range []catalog.Image{shop, api} {
		builds = append(builds, catalog.NewBuild{ImageID: i.ID, SourceID: shop.ID, Version: "v1", Trigger: catalog.TriggerPush, Commit: commitA})
	}
	for n, q := range e.submit(b, builds...) {
		if err := b.Cancel(t.Context(), q.ID); err != nil {
			t.Fatal(err)
		}
		if want := n == 0; e.sources.hasTag(shop.Ref, "v1") != want {
			t.Errorf("after %d of 2 the tag is there: %v", n+1, !want)
		}
	}
}
