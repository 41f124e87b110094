package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func testCreateImage(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann := newUser(t, s, "ann")
	ref := catalog.ImageRef{Namespace: "ann", Name: "app"}
	i := must(s.CreateImage(ctx, catalog.NewImage{Ref: ref, OwnerID: ann.ID}))(t)
	wantEqual(t, "image", i, catalog.Image{ID: i.ID, Ref: ref, SourceID: i.ID, Source: ref, OwnerID: ann.ID, CreatedAt: i.CreatedAt})
	wantRecent(t, "created", i.CreatedAt)
	wantEqual(t, "found", must(s.Image(ctx, ref))(t), i)
	for _, c := range []struct {
		namespace, name string
		code            catalog.Code
	}{
		{"ann", "", catalog.Invalid}, {"ann", "a/b", catalog.Invalid}, {"ann", "..", catalog.Invalid}, {"", "app", catalog.Invalid},
		{"nowhere", "app", catalog.NotFound}, {"ann", "app", catalog.Conflict}, {"ann", "APP", catalog.Conflict},
	} {
		_, err := s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: c.namespace, Name: c.name}, OwnerID: ann.ID})
		if got := catalog.CodeOf(err); got != c.code {
			t.Errorf("%s/%s: got %q (%v), want %q", c.namespace, c.name, got, err, c.code)
		}
	}
	_, err := s.Image(ctx, catalog.ImageRef{Namespace: "ann", Name: "other"})
	wantCode(t, err, catalog.NotFound)
	_, err = s.Image(ctx, catalog.ImageRef{Namespace: "nowhere", Name: "app"})
	wantCode(t, err, catalog.NotFound)
}

func testImageNamesWithoutCase(t *testing.T, s catalog.Store) {
	i, other := newImage(t, s, "ann", "My-App"), newImage(t, s, "bob", "my-app")
	for _, name := range []string{"My-App", "my-app", "MY-APP"} {
		got := must(s.Image(t.Context(), catalog.ImageRef{Namespace: "ann", Name: name}))(t)
		wantEqual(t, name, got.ID, i.ID)
		wantEqual(t, name+" as it was written", got.Ref.Name, "My-App")
	}
	got := must(s.Image(t.Context(), catalog.ImageRef{Namespace: "bob", Name: "MY-app"}))(t)
	wantEqual(t, "the same name elsewhere", got.ID, other.ID)
}

func testListImages(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	var want []int64
	for n := range 5 {
		i := newImage(t, s, "ann", fmt.Sprintf("app%d", n))
		newImage(t, s, "bob", fmt.Sprintf("app%d", n))
		want = append([]int64{i.ID}, want...)
		if n == 3 {
			build(t, s, i, "v1", catalog.OutcomeBuilt)
			build(t, s, i, "v2", catalog.OutcomeUserError)
		}
	}
	ids := func(page catalog.Page) (ids []int64) {
		for _, i := range must(s.ListImages(ctx, "ann", page))(t) {
			ids = append(ids, i.ID)
		}
		return ids
	}
	wantEqual(t, "all", fmt.Sprint(ids(catalog.Page{})), fmt.Sprint(want))
	wantEqual(t, "first page", fmt.Sprint(ids(catalog.Page{Limit: 2})), fmt.Sprint(want[:2]))
	wantEqual(t, "second page", fmt.Sprint(ids(catalog.Page{Limit: 2, Before: want[1]})), fmt.Sprint(want[2:4]))
	wantEqual(t, "past the end", len(ids(catalog.Page{Before: want[4]})), 0)
	wantEqual(t, "no namespace", len(must(s.ListImages(ctx, "nowhere", catalog.Page{}))(t)), 0)

	for n, i := range must(s.ListImages(ctx, "ann", catalog.Page{}))(t) {
		if n != 1 {
			if i.LastVersion != nil {
				t.Errorf("%s: got version %+v, want none", i.Ref, i.LastVersion)
			}
			continue
		}
		v := must(s.Version(ctx, i.ID, "v2"))(t)
		if i.LastVersion == nil || *i.LastVersion != v {
			t.Errorf("last version: got %+v, want %+v", i.LastVersion, v)
		}
	}
}

func testDeleteImage(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i, kept := newImage(t, s, "ann", "app"), newImage(t, s, "ann", "kept")
	gone := build(t, s, i, "v1", catalog.OutcomeBuilt)
	stays := build(t, s, kept, "v1", catalog.OutcomeBuilt)
	queue(t, s, i, "v2")
	wantCode(t, s.DeleteImage(ctx, i.ID), catalog.Conflict)
	b := claim(t, s)
	wantCode(t, s.DeleteImage(ctx, i.ID), catalog.Conflict)
	finish(t, s, b.ID, catalog.OutcomeBuilt)
	noError(t, s.DeleteImage(ctx, i.ID))

	wantCode(t, s.DeleteImage(ctx, i.ID), catalog.NotFound)
	_, err := s.Image(ctx, i.Ref)
	wantCode(t, err, catalog.NotFound)
	_, err = s.Version(ctx, i.ID, "v1")
	wantCode(t, err, catalog.NotFound)
	_, err = s.Build(ctx, gone.ID)
	wantCode(t, err, catalog.NotFound)
	wantEqual(t, "steps of the deleted", len(must(s.Steps(ctx, gone.ID))(t)), 0)
	wantEqual(t, "build of another image", must(s.Build(ctx, stays.ID))(t).State, catalog.Built)

	endRemovals(t, s)
	again := newImage(t, s, "ann", "App")
	if again.ID <= kept.ID {
		t.Errorf("image got ID %d: an ID was used again", again.ID)
	}
	if next := queue(t, s, again, "v1"); next.ID <= b.ID || next.Number != 1 {
		t.Errorf("build got ID %d and number %d, want an ID above %d and number 1", next.ID, next.Number, b.ID)
	}
}

func testListAllImages(t *testing.T, s catalog.Store) {
	first, second := newImage(t, s, "ann", "app"), newImage(t, s, "bob", "app")
	third := newImage(t, s, "ann", "other")
	list := func(namespace string, page catalog.Page) string {
		t.Helper()
		return names(must(s.ListImages(t.Context(), namespace, page))(t), func(i catalog.Image) string { return i.Ref.String() })
	}
	wantEqual(t, "of all", list("", catalog.Page{}), names([]catalog.Image{third, second, first}, func(i catalog.Image) string { return i.Ref.String() }))
	wantEqual(t, "before the second", list("", catalog.Page{Before: second.ID}), "[ann/app]")
	wantEqual(t, "two", list("", catalog.Page{Limit: 2}), "[ann/other bob/app]")
	wantEqual(t, "of one namespace", list("bob", catalog.Page{}), "[bob/app]")
}

func testListVersions(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i, other := newImage(t, s, "ann", "app"), newImage(t, s, "ann", "other")
	outcomes := []catalog.Outcome{catalog.OutcomeBuilt, catalog.OutcomeUserError, catalog.OutcomeTimeout}
	var newest []catalog.Version
	for n := range 9 {
		version := fmt.Sprintf("v%d", n)
		build(t, s, i, version, outcomes[n%3])
		build(t, s, other, version, outcomes[n%3])
		newest = append([]catalog.Version{must(s.Version(ctx, i.ID, version))(t)}, newest...)
	}
	queue(t, s, i, "waits")
	newest = append([]catalog.Version{must(s.Version(ctx, i.ID, "waits"))(t)}, newest...)

	filters := [][]catalog.State{nil, {catalog.Built}, {catalog.Failed, catalog.Built}, {catalog.Built, catalog.Built}, {catalog.Building}, catalog.States()}
	for _, states := range filters {
		var want []catalog.Version
		for _, v := range newest {
			if len(states) == 0 || slices.Contains(states, v.State) {
				want = append(want, v)
			}
		}
		got := must(s.ListVersions(ctx, i.ID, catalog.VersionFilter{States: states}))(t)
		if !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", states, got, want)
		}
		wantPages(t, s, i.ID, states, want)
	}
	_, err := s.ListVersions(ctx, i.ID, catalog.VersionFilter{States: []catalog.State{"NONE"}})
	wantCode(t, err, catalog.Invalid)
}

// wantPages reads a list page by page.
func wantPages(t *testing.T, s catalog.Store, imageID int64, states []catalog.State, want []catalog.Version) {
	t.Helper()
	var got []catalog.Version
	page := catalog.Page{Limit: 2}
	for {
		part := must(s.ListVersions(t.Context(), imageID, catalog.VersionFilter{States: states, Page: page}))(t)
		if len(part) == 0 {
			break
		}
		if len(part) > page.Limit {
			t.Fatalf("page of %d, want at most %d", len(part), page.Limit)
		}
		got = append(got, part...)
		page.Before = part[len(part)-1].ID
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v page by page: got %v, want %v", states, got, want)
	}
}

func testVersionNamesKeepCase(t *testing.T, s catalog.Store) {
	i := newImage(t, s, "ann", "app")
	lower, upper := queue(t, s, i, "rc1"), queue(t, s, i, "RC1")
	if lower.VersionID == upper.VersionID {
		t.Error("rc1 and RC1 are two tags, got one version")
	}
	_, err := s.Version(t.Context(), i.ID, "Rc1")
	wantCode(t, err, catalog.NotFound)
}

func testDeleteVersion(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	first, second := build(t, s, i, "v1", catalog.OutcomeBuilt), build(t, s, i, "v2", catalog.OutcomeBuilt)
	noError(t, s.DeleteVersion(ctx, second.VersionID, ""))
	wantCode(t, s.DeleteVersion(ctx, second.VersionID, ""), catalog.NotFound)
	_, err := s.Build(ctx, second.ID)
	wantCode(t, err, catalog.NotFound)
	last := must(s.Image(ctx, i.Ref))(t).LastVersion
	if last == nil || last.ID != first.VersionID {
		t.Errorf("last version after the newest went: got %+v, want v1", last)
	}
	endRemovals(t, s)
	again := queue(t, s, i, "v2")
	if again.VersionID <= second.VersionID || again.ID <= second.ID {
		t.Errorf("version %d and build %d: an ID was used again", again.VersionID, again.ID)
	}
}
