package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// transfer gives an image to another namespace, and does what a daemon does after its files are moved.
func transfer(t *testing.T, s catalog.Store, image catalog.Image, to string) catalog.Image {
	t.Helper()
	for _, m := range must(s.TransferImage(t.Context(), image, to))(t) {
		noError(t, s.EndMove(t.Context(), m.ID))
	}
	return must(s.ImageByID(t.Context(), image.ID))(t)
}

func testTransferImage(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "App")
	part := imageOf(t, s, app, "part")
	stays := newImage(t, s, "ann", "stays")
	newUser(t, s, "bob")
	build(t, s, app, "v1", catalog.OutcomeBuilt)
	noError(t, s.DeleteVersion(ctx, build(t, s, app, "v2", catalog.OutcomeBuilt).VersionID, ""))
	hook := must(s.CreateWebhook(ctx, catalog.Webhook{Namespace: "ann", ImageID: app.ID, URL: "https://example.com", Sealed: []byte("x"), UserID: app.OwnerID}))(t)
	must(s.PutSecret(ctx, catalog.Secret{Namespace: "ann", ImageID: app.ID, Kind: catalog.SecretValue, Name: "of-app", Sealed: []byte("x")}))(t)
	must(s.PutSecret(ctx, catalog.Secret{Namespace: "ann", Kind: catalog.SecretValue, Name: "of-all", Sealed: []byte("x")}))(t)
	scope := catalog.RetentionScope{Namespace: "ann", ImageID: app.ID}
	noError(t, s.SetRetentionRule(ctx, catalog.ScopedRule{RetentionScope: scope, Kind: catalog.RetainVersions, Rule: catalog.RetentionRule{KeepLast: 3}}))
	waits := queue(t, s, part, "v3")
	last := must(s.LastEvent(ctx))(t)

	moves := must(s.TransferImage(ctx, app, "bob"))(t)
	was, is := catalog.ImageRef{Namespace: "ann", Name: "App"}, catalog.ImageRef{Namespace: "bob", Name: "App"}
	partWas, partIs := catalog.ImageRef{Namespace: "ann", Name: "part"}, catalog.ImageRef{Namespace: "bob", Name: "part"}
	wantEqual(t, "moves", moves, []catalog.Move{{ID: moves[0].ID, ImageID: app.ID, From: was, To: is}, {ID: moves[1].ID, ImageID: part.ID, From: partWas, To: partIs}})
	wantEqual(t, "moves to be done", must(s.Moves(ctx))(t), moves)
	wantEqual(t, "events", names(must(s.EventsAfter(ctx, "", last, 0))(t), func(e catalog.Event) string {
		return string(e.Kind) + " of " + e.Image.String() + " from " + e.From + " to " + e.To
	}), "[image.transferred of ann/App from ann/App to bob/App image.transferred of bob/App from ann/App to bob/App "+
		"image.transferred of ann/part from ann/part to bob/part image.transferred of bob/part from ann/part to bob/part]")

	// Until its files are moved it is of no use, and nothing of it starts.
	_, err := s.Image(ctx, is)
	wantCode(t, err, catalog.Unavailable)
	_, err = s.Image(ctx, was)
	wantCode(t, err, catalog.Moved)
	_, err = s.ClaimBuild(ctx, worker, math.MaxInt, base, base.Add(time.Minute))
	wantCode(t, err, catalog.NotFound)
	if _, waiting, err := s.NextWake(ctx); waiting || err != nil {
		t.Errorf("a build of an image that is being moved is to start: %v", err)
	}
	now := must(s.ImageByID(ctx, app.ID))(t)
	wantCode(t, s.DeleteImage(ctx, part.ID), catalog.Unavailable)
	wantCode(t, s.DeleteNamespace(ctx, "ann", true), catalog.Conflict) // it is a user's own
	wantCode(t, s.DeleteUser(ctx, app.OwnerID, true), catalog.Unavailable)
	_, err = s.TransferImage(ctx, now, "ann")
	wantCode(t, err, catalog.Unavailable)
	wantCode(t, s.FreeFormerName(ctx, was), catalog.Unavailable)
	for _, m := range moves {
		noError(t, s.EndMove(ctx, m.ID))
	}
	wantCode(t, s.EndMove(ctx, moves[0].ID), catalog.NotFound)

	// All that is the image's went along.
	wantEqual(t, "image", must(s.Image(ctx, is))(t), now)
	wantEqual(t, "its source", must(s.Image(ctx, partIs))(t).Source, is)
	wantEqual(t, "the build that waits", must(s.Build(ctx, waits.ID))(t).Image, partIs)
	wantEqual(t, "claimed", claim(t, s).ID, waits.ID)
	finish(t, s, waits.ID, catalog.OutcomeBuilt)
	wantEqual(t, "removals", must(s.Removals(ctx))(t)[0].Image, is)
	wantEqual(t, "tombstone", must(s.Tombstone(ctx, app.ID, "v2"))(t).Commit, commitA)
	hooks := must(s.ListWebhooks(ctx, "bob", app.ID))(t)
	wantEqual(t, "webhooks", names(hooks, func(w catalog.Webhook) string { return w.Namespace + " sealed for " + w.SealedFor }), "[bob sealed for ann]")
	wantEqual(t, "webhook", hooks[0].ID, hook.ID)
	secret := func(s catalog.Secret) string { return s.Name + " sealed for " + s.SealedFor }
	wantEqual(t, "secrets", names(must(s.ListSecrets(ctx, "bob"))(t), secret), "[of-app sealed for ann]")
	wantEqual(t, "secrets that stay", names(must(s.ListSecrets(ctx, "ann"))(t), secret), "[of-all sealed for ]")
	scope.Namespace = "bob"
	wantEqual(t, "rules", len(must(s.ListRetentionRules(ctx, scope))(t)), 1)
	wantEqual(t, "images that stay", names(must(s.ListImages(ctx, "ann", catalog.Page{}))(t), func(i catalog.Image) string { return i.Ref.Name }), "["+stays.Ref.Name+"]")
	again := must(s.PutSecret(ctx, catalog.Secret{Namespace: "bob", ImageID: app.ID, Kind: catalog.SecretValue, Name: "of-app", Sealed: []byte("y")}))(t)
	wantEqual(t, "a secret that was set again, sealed for", again.SealedFor, "")
}

// A former name says where the image went, also after another transfer, and is nobody else's.
func testFormerNames(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "app")
	newUser(t, s, "bob")
	cat := newUser(t, s, "cat")
	ref := func(namespace string) catalog.ImageRef { return catalog.ImageRef{Namespace: namespace, Name: "app"} }
	wantMessage := func(err error, code catalog.Code, message string) {
		t.Helper()
		wantCode(t, err, code)
		wantEqual(t, "message", catalog.MessageOf(err), message)
	}
	app = transfer(t, s, app, "bob")
	app = transfer(t, s, app, "cat")
	_, err := s.Image(ctx, catalog.ImageRef{Namespace: "ann", Name: "APP"})
	wantMessage(err, catalog.Moved, "image ann/app was transferred and is cat/app now; use that name")
	_, err = s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "bob", Name: "App"}, OwnerID: cat.ID})
	wantMessage(err, catalog.Conflict, "image bob/app was transferred and is cat/app now, and its former name never means another image; use the new name, "+
		"choose another, or ask an administrator of the server to free the name with: fandoghd admin tombstone lift bob/app")
	other := newImage(t, s, "dan", "APP")
	_, err = s.TransferImage(ctx, other, "bob")
	wantCode(t, err, catalog.Conflict)
	wantEqual(t, "former names", names(must(s.FormerNames(ctx, "ann"))(t), func(f catalog.FormerName) string { return f.Ref.String() + " " + f.Image.String() }), "[ann/app cat/app]")

	// Back, it is its name again, and that it came from is not.
	app = transfer(t, s, app, "ann")
	wantEqual(t, "image", must(s.Image(ctx, ref("ann")))(t).ID, app.ID)
	wantEqual(t, "former names", len(must(s.FormerNames(ctx, "ann"))(t)), 0)
	_, err = s.Image(ctx, ref("cat"))
	wantMessage(err, catalog.Moved, "image cat/app was transferred and is ann/app now; use that name")

	wantCode(t, s.FreeFormerName(ctx, ref("ann")), catalog.NotFound)
	noError(t, s.FreeFormerName(ctx, ref("cat")))
	newImage(t, s, "cat", "app")
	_, err = s.TransferImage(ctx, app, "cat")
	wantCode(t, err, catalog.Conflict)

	// They go with the image.
	noError(t, s.DeleteImage(ctx, app.ID))
	endRemovals(t, s)
	newImage(t, s, "bob", "app")
}

func testTransferRefused(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "app")
	part := imageOf(t, s, app, "part")
	bob := newUser(t, s, "bob")
	refused := func(image catalog.Image, to string, code catalog.Code) {
		t.Helper()
		_, err := s.TransferImage(ctx, image, to)
		wantCode(t, err, code)
	}
	refused(app, "nowhere", catalog.NotFound)
	refused(app, "ANN", catalog.Conflict)
	refused(part, "bob", catalog.Conflict)
	refused(catalog.Image{ID: app.ID, Ref: catalog.ImageRef{Namespace: "bob", Name: "app"}}, "ann", catalog.Moved)
	refused(catalog.Image{ID: 1 << 40, Ref: app.Ref}, "bob", catalog.NotFound)
	taken := newImage(t, s, "bob", "PART")
	refused(app, "bob", catalog.Conflict)
	noError(t, s.DeleteImage(ctx, taken.ID))
	refused(app, "bob", catalog.Unavailable) // files of that name are removed
	endRemovals(t, s)

	q := queue(t, s, part, "v1")
	claim(t, s)
	refused(app, "bob", catalog.Conflict)
	finish(t, s, q.ID, catalog.OutcomeUserError)
	limits := catalog.NamespaceLimits{Quota: catalog.Quota{Images: 1}}
	noError(t, s.SetNamespaceLimits(ctx, "bob", limits))
	refused(app, "bob", catalog.Forbidden)
	limits.Quota = catalog.Quota{Images: 2, Versions: 1, Builds: 1}
	noError(t, s.SetNamespaceLimits(ctx, "bob", limits))
	queue(t, s, app, "v2")
	refused(app, "bob", catalog.Forbidden)
	limits.Quota.Versions, limits.Waiting = 2, 1
	noError(t, s.SetNamespaceLimits(ctx, "bob", limits))
	queue(t, s, app, "v2")
	_, err := s.QueueBuilds(ctx, []catalog.NewBuild{asked(part, "v1", commitB)})
	noError(t, err)
	refused(app, "bob", catalog.Forbidden) // two wait
	noError(t, s.FinishBuild(ctx, claim(t, s).ID, worker, resultOf(catalog.OutcomeUserError)))
	wantEqual(t, "moves after refusals", len(must(s.Moves(ctx))(t)), 0)
	wantEqual(t, "image", transfer(t, s, app, "bob").Ref.Namespace, bob.Name)
}
