package storetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// imageOf makes an image that is built from the repository of another.
func imageOf(t *testing.T, s catalog.Store, source catalog.Image, name string) catalog.Image {
	t.Helper()
	ref := catalog.ImageRef{Namespace: source.Ref.Namespace, Name: name}
	return must(s.CreateImage(t.Context(), catalog.NewImage{Ref: ref, OwnerID: source.OwnerID, SourceID: source.ID}))(t)
}

// buildTag has a tag's version end with an outcome; none leaves it waiting.
func buildTag(t *testing.T, s catalog.Store, i catalog.Image, tag, version string, outcome catalog.Outcome) catalog.Build {
	t.Helper()
	n := asked(i, version, commitA)
	n.Tag = tag
	b := must(s.QueueBuilds(t.Context(), []catalog.NewBuild{n}))(t)[0].Build
	if outcome != "" {
		wantEqual(t, "claimed build", claim(t, s).ID, b.ID)
		finish(t, s, b.ID, outcome)
	}
	return b
}

func testImagesOfARepository(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	shop, other := newImage(t, s, "ann", "Shop"), newImage(t, s, "ann", "other")
	api, web := imageOf(t, s, shop, "api"), imageOf(t, s, shop, "web")
	wantEqual(t, "source", api.Source, shop.Ref)
	wantEqual(t, "source's ID", api.SourceID, shop.ID)
	wantEqual(t, "found", must(s.Image(ctx, api.Ref))(t), api)
	wantEqual(t, "found by ID", must(s.ImageByID(ctx, api.ID))(t), api)
	_, err := s.ImageByID(ctx, 999)
	wantCode(t, err, catalog.NotFound)
	wantCode(t, api.CheckOwnSource(), catalog.Conflict)
	noError(t, shop.CheckOwnSource())
	bob := newImage(t, s, "bob", "app")
	for what, source := range map[string]int64{"no image": 999, "one of no repository": api.ID, "another namespace's": bob.ID} {
		_, err := s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "more"}, OwnerID: shop.OwnerID, SourceID: source})
		if catalog.CodeOf(err) != catalog.NotFound {
			t.Errorf("%s: %v", what, err)
		}
	}

	b := buildTag(t, s, api, "v1", "v1", catalog.OutcomeBuilt)
	wantEqual(t, "build's source", b.Source, shop.Ref)
	buildTag(t, s, web, "v1", "v1", catalog.OutcomeUserError)
	buildTag(t, s, web, "web/v2", "v2", catalog.OutcomeUserError)
	buildTag(t, s, other, "v1", "v1", "")
	buildTag(t, s, shop, "v3", "v3", "")
	versions := must(s.TagVersions(ctx, shop.ID, "v1"))(t)
	wantEqual(t, "versions of v1", names(versions, func(v catalog.Version) string { return string(v.State) + " " + v.Tag }), "[BUILT v1 BUILD_FAILED v1]")
	wantEqual(t, "versions of web/v2", len(must(s.TagVersions(ctx, shop.ID, "web/v2"))(t)), 1)
	wantEqual(t, "unbuilt tags", must(s.UnbuiltTags(ctx, shop.ID))(t), map[string]string{"v1": commitA, "v3": commitA})

	objects := must(s.SourceObjects(ctx, shop.ID))(t)
	wantEqual(t, "what builds are of", objects, []string{commitA})
	tagged := asked(shop, "v4", commitB)
	tagged.TagObject = strings.Repeat("c", 40)
	must(s.QueueBuilds(ctx, []catalog.NewBuild{tagged}))(t)
	objects = must(s.SourceObjects(ctx, shop.ID))(t)
	wantEqual(t, "what builds are of", objects, []string{commitA, commitB, strings.Repeat("c", 40)})
	wantEqual(t, "what another's are of", len(must(s.SourceObjects(ctx, bob.ID))(t)), 0)

	// The repository goes last, but with its namespace.
	for _, tag := range []string{"v1", "v3", "v4"} {
		for _, image := range []catalog.Image{other, shop} {
			if v, err := s.Version(ctx, image.ID, tag); err == nil {
				must(s.CancelBuild(ctx, must(catalog.NewestBuild(ctx, s, v))(t).ID, base))(t)
			}
		}
	}
	wantCode(t, s.DeleteImage(ctx, shop.ID), catalog.Conflict)
	noError(t, s.DeleteImage(ctx, web.ID))
	noError(t, s.DeleteImage(ctx, api.ID))
	noError(t, s.DeleteImage(ctx, shop.ID))

	must(s.CreateNamespace(ctx, "team", shop.OwnerID))(t)
	all := must(s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "team", Name: "all"}, OwnerID: shop.OwnerID}))(t)
	imageOf(t, s, all, "one")
	noError(t, s.DeleteNamespace(ctx, "team", true))
}

func testTagsOfOneVersion(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "app")
	b := buildTag(t, s, app, "v1+5", "v1_5", "")
	wantEqual(t, "tag", b.Tag, "v1+5")
	again := asked(app, "v1_5", commitA)
	_, err := s.QueueBuilds(ctx, []catalog.NewBuild{again}) // of the tag v1_5
	wantCode(t, err, catalog.Conflict)
	wantEqual(t, "what is said", catalog.MessageOf(err), "tag v1_5 would be version v1_5, which there is already of tag v1+5; push a tag with another name")
	again.Tag = "v1+5"
	wantEqual(t, "attached", must(s.QueueBuilds(ctx, []catalog.NewBuild{again}))(t)[0].Attached, true)
	claim(t, s)
	finish(t, s, b.ID, catalog.OutcomeUserError)

	// The tag of one that failed is gone.
	buildTag(t, s, app, "v1_5", "v1_5", catalog.OutcomeBuilt)
	wantEqual(t, "tag", must(s.Version(ctx, app.ID, "v1_5"))(t).Tag, "v1_5")
	_, err = s.QueueBuilds(ctx, []catalog.NewBuild{again})
	wantCode(t, err, catalog.Conflict)

	// A tag that moved while its version of one image was not there is not built there of what it was.
	api, web := imageOf(t, s, app, "api"), imageOf(t, s, app, "web")
	buildTag(t, s, api, "v2", "v2", catalog.OutcomeUserError)
	moved := asked(web, "v2", commitB)
	must(s.QueueBuilds(ctx, []catalog.NewBuild{moved}))(t)
	_, err = s.QueueBuilds(ctx, []catalog.NewBuild{asked(api, "v2", commitA)})
	wantCode(t, err, catalog.Conflict)
	wantEqual(t, "what is said", strings.Contains(catalog.MessageOf(err), "version v2 of web"), true)
	wantEqual(t, "of its commit", len(must(s.QueueBuilds(ctx, []catalog.NewBuild{asked(api, "v2", commitB)}))(t)), 1)
}

func testRemovedTags(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	shop := newImage(t, s, "ann", "shop")
	api, web := imageOf(t, s, shop, "api"), imageOf(t, s, shop, "web")
	for _, i := range []catalog.Image{api, web} {
		buildTag(t, s, i, "v1", "v1", catalog.OutcomeBuilt)
		buildTag(t, s, i, i.Ref.Name+"/v2", "v2", catalog.OutcomeBuilt)
	}
	buildTag(t, s, api, "v3", "v3", catalog.OutcomeBuilt)
	buildTag(t, s, web, "v3", "v3", catalog.OutcomeUserError)
	tags := func() (gone []string) {
		for _, r := range must(s.Removals(ctx))(t) {
			for _, tag := range r.Tags {
				wantEqual(t, "source", r.Source, shop.Ref)
				wantEqual(t, tag.Name, tag.Commit, commitA)
				gone = append(gone, tag.Name)
			}
		}
		slices.Sort(gone)
		return gone
	}
	noError(t, s.DeleteVersion(ctx, must(s.Version(ctx, web.ID, "v1"))(t).ID, ""))
	wantEqual(t, "of a version of two", len(tags()), 0)
	endRemovals(t, s)
	noError(t, s.DeleteVersion(ctx, must(s.Version(ctx, api.ID, "v1"))(t).ID, ""))
	wantEqual(t, "of the last version", tags(), []string{"v1"})
	noError(t, s.DeleteImage(ctx, api.ID)) // before its version's files are gone
	wantEqual(t, "of an image", tags(), []string{"api/v2", "v1", "v3"})
	endRemovals(t, s)
	noError(t, s.DeleteImage(ctx, web.ID))
	wantEqual(t, "of the other", tags(), []string{"v3", "web/v2"})
	endRemovals(t, s)
	buildTag(t, s, shop, "v9", "v9", catalog.OutcomeBuilt)
	noError(t, s.DeleteImage(ctx, shop.ID)) // its repository goes
	wantEqual(t, "of a repository", len(tags()), 0)
}
