package storetest

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func connect(t *testing.T, s catalog.Store, i catalog.Image, repository string) catalog.Connection {
	t.Helper()
	return must(s.PutConnection(t.Context(), catalog.Connection{
		ImageID: i.ID, UserID: i.OwnerID, Repository: repository, Tags: "v*", Branches: "main", Paths: "api/**", Context: "api", Sealed: []byte("sealed"),
	}))(t)
}

func testConnections(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	api, web := newImage(t, s, "ann", "Api"), newImage(t, s, "ann", "web")
	c := connect(t, s, api, "Acme/App")
	wantEqual(t, "image", c.Image, api.Ref)
	wantRecent(t, "connection", c.CreatedAt)
	connect(t, s, web, "acme/app")
	wantEqual(t, "whole", c.Repository+c.Tags+c.Branches+c.Paths+c.Context+string(c.Sealed), "Acme/Appv*mainapi/**apisealed")

	both := must(s.ConnectionsTo(ctx, "ACME/app"))(t)
	wantEqual(t, "to the repository", names(both, func(c catalog.Connection) string { return c.Image.Name }), "[Api web]")
	wantEqual(t, "to none", len(must(s.ConnectionsTo(ctx, "acme/other"))(t)), 0)
	wantEqual(t, "after the first", len(must(s.ListConnections(ctx, c.ID))(t)), 1)

	c.Tags = "*"
	changed := must(s.PutConnection(ctx, c))(t)
	wantEqual(t, "ID", changed.ID, c.ID)
	wantEqual(t, "tags", must(s.ConnectionOf(ctx, api.ID))(t).Tags, "*")
	wantEqual(t, "by ID", must(s.ConnectionByID(ctx, c.ID))(t).Image, api.Ref)
	_, err := s.PutConnection(ctx, catalog.Connection{ImageID: 1 << 40, Repository: "a/b", Sealed: []byte{}})
	wantCode(t, err, catalog.NotFound)

	// A repository that is renamed is the same one, with what is known of its refs.
	wantEqual(t, "by no number", len(must(s.ConnectionsToID(ctx, 0))(t)), 0)
	noError(t, s.PutSourceRef(ctx, catalog.SourceRef{ConnectionID: c.ID, Name: "refs/tags/v1", Object: commitA, Commit: commitA}))
	noError(t, s.NameRepository(ctx, c.ID, 4711, "acme/app"))
	wantEqual(t, "of the same name", must(s.ConnectionOf(ctx, api.ID))(t).Former, "")
	noError(t, s.NameRepository(ctx, c.ID, 4711, "acme/store"))
	byID := must(s.ConnectionsToID(ctx, 4711))(t)
	wantEqual(t, "by number", names(byID, func(c catalog.Connection) string { return c.Repository + " " + c.Former }), "[acme/store acme/app]")
	wantEqual(t, "number", byID[0].RepositoryID, int64(4711))
	wantEqual(t, "to the former name", names(must(s.ConnectionsTo(ctx, "acme/app"))(t), func(c catalog.Connection) string { return c.Image.Name }), "[web]")
	wantEqual(t, "refs of a renamed repository", len(must(s.ListSourceRefs(ctx, c.ID, 0))(t)), 1)
	wantCode(t, s.NameRepository(ctx, 1<<40, 1, "a/b"), catalog.NotFound)
	c = byID[0]
	c.RepositoryID, c.Former = 0, ""
	wantEqual(t, "put again", must(s.PutConnection(ctx, c))(t).RepositoryID, int64(0))

	noError(t, s.DeleteConnection(ctx, c.ID))
	wantCode(t, s.DeleteConnection(ctx, c.ID), catalog.NotFound)
	_, err = s.ConnectionOf(ctx, api.ID)
	wantCode(t, err, catalog.NotFound)
	noError(t, s.DeleteImage(ctx, web.ID))
	wantEqual(t, "with the image", len(must(s.ConnectionsTo(ctx, "acme/app"))(t)), 0)
}

func testSourceRefs(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	image := newImage(t, s, "ann", "app")
	c := connect(t, s, image, "acme/app")
	put := func(name, commit string, processed bool) {
		t.Helper()
		noError(t, s.PutSourceRef(ctx, catalog.SourceRef{ConnectionID: c.ID, Name: name, Object: commit, Commit: commit, Version: "v", Processed: processed, Note: "n"}))
	}
	put("refs/tags/v1", commitA, true)
	put("refs/heads/main", commitA, false)
	put("refs/heads/main", commitB, true)
	got := must(s.SourceRef(ctx, c.ID, "refs/heads/main"))(t)
	wantRecent(t, "ref", got.At)
	wantEqual(t, "commit", got.Commit, commitB)
	wantEqual(t, "processed", got.Processed, true)
	wantEqual(t, "newest first", names(must(s.ListSourceRefs(ctx, c.ID, 0))(t), func(r catalog.SourceRef) string { return r.Name }), "[refs/heads/main refs/tags/v1]")
	wantEqual(t, "limit", len(must(s.ListSourceRefs(ctx, c.ID, 1))(t)), 1)
	wantEqual(t, "from there", must(s.FromSource(ctx, c.ID, commitA))(t), true)
	wantEqual(t, "not from there", must(s.FromSource(ctx, c.ID, "0"))(t), false)
	_, err := s.SourceRef(ctx, c.ID, "refs/tags/v2")
	wantCode(t, err, catalog.NotFound)
	wantCode(t, s.PutSourceRef(ctx, catalog.SourceRef{ConnectionID: 1 << 40, Name: "x"}), catalog.NotFound)
	connect(t, s, image, "acme/else")
	wantEqual(t, "refs of another repository", len(must(s.ListSourceRefs(ctx, must(s.ConnectionOf(ctx, image.ID))(t).ID, 0))(t)), 0)
}

func testWebhooks(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	image, other := newImage(t, s, "ann", "app"), newImage(t, s, "ann", "other")
	add := func(imageID int64, url string) catalog.Webhook {
		t.Helper()
		return must(s.CreateWebhook(ctx, catalog.Webhook{Namespace: "ann", ImageID: imageID, URL: url, Events: "build.finished", Sealed: []byte("x"), UserID: image.OwnerID}))(t)
	}
	url := func(w catalog.Webhook) string { return w.URL }
	all := add(0, "https://a")
	add(image.ID, "https://a")
	add(other.ID, "https://b")
	_, err := s.CreateWebhook(ctx, catalog.Webhook{Namespace: "ann", URL: "https://a", Sealed: []byte{}})
	wantCode(t, err, catalog.Conflict)
	_, err = s.CreateWebhook(ctx, catalog.Webhook{Namespace: "nobody", URL: "https://a", Sealed: []byte{}})
	wantCode(t, err, catalog.NotFound)
	_, err = s.CreateWebhook(ctx, catalog.Webhook{Namespace: "ann", ImageID: 1 << 40, URL: "https://a", Sealed: []byte{}})
	wantCode(t, err, catalog.NotFound)
	wantRecent(t, "webhook", all.CreatedAt)
	got := must(s.Webhook(ctx, all.ID))(t)
	wantEqual(t, "whole", got.Namespace+got.URL+got.Events+string(got.Sealed), "annhttps://abuild.finishedx")
	wantEqual(t, "of the namespace", names(must(s.ListWebhooks(ctx, "ann", 0))(t), url), "[https://a]")
	wantEqual(t, "of the image", names(must(s.ListWebhooks(ctx, "ann", other.ID))(t), url), "[https://b]")
	wantEqual(t, "for the image", len(must(s.WebhooksFor(ctx, all.NamespaceID, image.ID))(t)), 2)
	noError(t, s.DeleteWebhook(ctx, all.ID))
	wantCode(t, s.DeleteWebhook(ctx, all.ID), catalog.NotFound)
	noError(t, s.DeleteImage(ctx, image.ID))
	wantEqual(t, "with the image", len(must(s.WebhooksFor(ctx, all.NamespaceID, image.ID))(t)), 0)
}
