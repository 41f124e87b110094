package storetest

import (
	"sync"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

var yes, no = true, false

// disable takes a user's account out of use.
func disable(t *testing.T, s catalog.Store, u catalog.User) catalog.User {
	t.Helper()
	return must(s.UpdateUser(t.Context(), u.ID, catalog.UserUpdate{Disabled: &yes}))(t)
}

// wantProofs fails unless all that proves a user is answered by code.
func wantProofs(t *testing.T, s catalog.Store, code catalog.Code) {
	t.Helper()
	_, _, err := s.PasswordHash(t.Context(), "ann")
	wantCode(t, err, code)
	_, err = s.UserByKey(t.Context(), "SHA256:one")
	wantCode(t, err, code)
	_, _, err = s.TokenByHash(t.Context(), tokenHash(1), base)
	wantCode(t, err, code)
}

// withProofs makes the user ann with whatever may prove her.
func withProofs(t *testing.T, s catalog.Store) catalog.User {
	t.Helper()
	ann := must(s.CreateUser(t.Context(), catalog.NewUser{Name: "ann", PasswordHash: "hash"}))(t)
	must(s.CreateKey(t.Context(), catalog.NewKey{UserID: ann.ID, Name: "laptop", Fingerprint: "SHA256:one"}))(t)
	must(s.CreateToken(t.Context(), catalog.NewToken{UserID: ann.ID, Name: "ci", Hash: tokenHash(1), Scope: catalog.ScopeWrite}))(t)
	return ann
}

func testDisable(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann := withProofs(t, s)
	wantProofs(t, s, "")
	got := disable(t, s, ann)
	wantRecent(t, "disabled", got.DisabledAt)
	if !got.Disabled() || ann.Disabled() {
		t.Errorf("got %+v of %+v", got, ann)
	}
	wantProofs(t, s, catalog.NotFound)
	wantEqual(t, "by name", must(s.User(ctx, "ann"))(t), got)
	wantEqual(t, "by ID", must(s.UserByID(ctx, ann.ID))(t), got)
	wantEqual(t, "again", disable(t, s, ann), got) // since when stays
	wantEqual(t, "nothing changed", must(s.UpdateUser(ctx, ann.ID, catalog.UserUpdate{}))(t), got)

	wantEqual(t, "enabled", must(s.UpdateUser(ctx, ann.ID, catalog.UserUpdate{Disabled: &no}))(t), ann)
	wantProofs(t, s, "")
	_, err := s.UpdateUser(ctx, 999, catalog.UserUpdate{Disabled: &yes})
	wantCode(t, err, catalog.NotFound)
}

func testDisableStopsBuilds(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "app")
	bob := newUser(t, s, "bob")
	running := queue(t, s, app, "v1")
	claim(t, s)
	waiting := queue(t, s, app, "v2")
	other := asked(app, "v3", commitA)
	other.UserID = bob.ID
	bobs := must(s.QueueBuilds(ctx, []catalog.NewBuild{other}))(t)[0]
	disable(t, s, catalog.User{ID: app.OwnerID})
	for id, cancelled := range map[int64]bool{running.ID: false, waiting.ID: true, bobs.ID: false} {
		wantEqual(t, "cancelled", must(s.Build(ctx, id))(t).Cancelled, cancelled)
	}
	b := claim(t, s)
	wantEqual(t, "claimed", b.ID, waiting.ID)
	wantEqual(t, "claimed as cancelled", b.Cancelled, true)
}

func testLastAdmin(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	root := must(s.CreateUser(ctx, catalog.NewUser{Name: "root", Admin: true}))(t)
	ann := newUser(t, s, "ann")
	refused := func() {
		t.Helper()
		for _, u := range []catalog.UserUpdate{{Disabled: &yes}, {Admin: &no}, {Admin: &no, Disabled: &yes}} {
			_, err := s.UpdateUser(ctx, root.ID, u)
			wantCode(t, err, catalog.Conflict)
		}
		wantCode(t, s.DeleteUser(ctx, root.ID, true), catalog.Conflict)
		wantEqual(t, "unchanged", must(s.UserByID(ctx, root.ID))(t), root)
	}
	refused()
	wantEqual(t, "made one", must(s.UpdateUser(ctx, ann.ID, catalog.UserUpdate{Admin: &yes}))(t).Admin, true)
	disable(t, s, ann)
	refused() // one who is disabled administers nothing
	must(s.UpdateUser(ctx, ann.ID, catalog.UserUpdate{Disabled: &no}))(t)
	disable(t, s, root)
	noError(t, s.DeleteUser(ctx, root.ID, false))
	wantCode(t, s.DeleteUser(ctx, ann.ID, false), catalog.Conflict)
}

// testLastAdminRace has two administrators take one another away: one must stay.
func testLastAdminRace(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	var admins []catalog.User
	for _, name := range []string{"ann", "bob"} {
		admins = append(admins, must(s.CreateUser(ctx, catalog.NewUser{Name: name, Admin: true}))(t))
	}
	errs := make([]error, 2)
	var wg sync.WaitGroup
	wg.Go(func() { _, errs[0] = s.UpdateUser(ctx, admins[0].ID, catalog.UserUpdate{Disabled: &yes}) })
	wg.Go(func() { errs[1] = s.DeleteUser(ctx, admins[1].ID, false) })
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("got %v and %v, want one to succeed", errs[0], errs[1])
	}
}

func testDeleteUser(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann := withProofs(t, s)
	wantCode(t, s.DeleteUser(ctx, 999, false), catalog.NotFound)
	noError(t, s.DeleteUser(ctx, ann.ID, false))
	wantCode(t, s.DeleteUser(ctx, ann.ID, false), catalog.NotFound)
	wantProofs(t, s, catalog.NotFound)
	_, err := s.Namespace(ctx, "ann")
	wantCode(t, err, catalog.NotFound)

	// The next one of that name is another user, and comes when the files are gone.
	_, err = s.CreateUser(ctx, catalog.NewUser{Name: "ann"})
	wantCode(t, err, catalog.Unavailable)
	_, err = s.CreateNamespace(ctx, "ann", newUser(t, s, "bob").ID)
	wantCode(t, err, catalog.Unavailable)
	endRemovals(t, s)
	again := newUser(t, s, "ann")
	if again.ID == ann.ID {
		t.Error("an ID was used again")
	}
	wantEqual(t, "keys", len(must(s.ListKeys(ctx, again.ID))(t)), 0)
	wantEqual(t, "tokens", len(must(s.ListTokens(ctx, again.ID))(t)), 0)
	must(s.CreateKey(ctx, catalog.NewKey{UserID: again.ID, Fingerprint: "SHA256:one"}))(t)
}

func testDeleteUserWithImages(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "app")
	other := newImage(t, s, "ann", "other")
	bob := newUser(t, s, "bob")
	noError(t, s.SetMember(ctx, "ann", bob.ID, catalog.RoleAdmin)) // who can't keep it
	must(s.CreateWebhook(ctx, catalog.Webhook{Namespace: "ann", URL: "https://example.com/", Sealed: []byte("x"), UserID: bob.ID}))(t)
	built := build(t, s, app, "v1", catalog.OutcomeBuilt)
	running := queue(t, s, app, "v2")
	claim(t, s)

	wantCode(t, s.DeleteUser(ctx, app.OwnerID, false), catalog.Conflict)
	wantCode(t, s.DeleteUser(ctx, app.OwnerID, true), catalog.Conflict) // something is being built
	wantEqual(t, "images", len(must(s.ListImages(ctx, "ann", catalog.Page{}))(t)), 2)
	finish(t, s, running.ID, catalog.OutcomeUserError)
	noError(t, s.DeleteUser(ctx, app.OwnerID, true))

	removals := must(s.Removals(ctx))(t)
	wantRemovals(t, removals, catalog.Removal{ImageID: app.ID, Image: app.Ref, Builds: []int64{built.ID, running.ID}},
		catalog.Removal{ImageID: other.ID, Image: other.Ref, Builds: []int64{}},
		catalog.Removal{Image: catalog.ImageRef{Namespace: "ann"}, Builds: []int64{}})
	wantEqual(t, "namespaces of a member", names(must(catalog.AllNamespaces(ctx, s, bob.ID))(t), namespaceName), "[bob]")

	noError(t, s.EndRemoval(ctx, removals[2].ID))
	again := newUser(t, s, "ann")
	wantEqual(t, "images of the next", len(must(s.ListImages(ctx, "ann", catalog.Page{}))(t)), 0)
	wantEqual(t, "members of the next", len(must(catalog.AllMembers(ctx, s, "ann"))(t)), 1)
	wantEqual(t, "webhooks of the next", len(must(s.ListWebhooks(ctx, "ann", 0))(t)), 0)
	for _, e := range append(must(s.EventsAfter(ctx, "ann", 0, 0))(t), must(s.EventsForMember(ctx, again.ID, 0, 0))(t)...) {
		if e.Kind != catalog.EventMemberChanged || e.Member != "ann" {
			t.Errorf("the next is told of %+v", e)
		}
	}
	_, err := s.CreateImage(ctx, catalog.NewImage{Ref: app.Ref, OwnerID: again.ID})
	wantCode(t, err, catalog.Unavailable) // while the files are there
}

func testDeleteUserOfATeam(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann, bob := newUser(t, s, "ann"), newUser(t, s, "bob")
	must(s.CreateNamespace(ctx, "team", ann.ID))(t)
	noError(t, s.SetMember(ctx, "team", bob.ID, catalog.RoleWrite))
	app := must(s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "team", Name: "app"}, OwnerID: ann.ID}))(t)
	v1 := build(t, s, app, "v1", catalog.OutcomeBuilt)
	waiting := queue(t, s, app, "v2")
	connection := must(s.PutConnection(ctx, catalog.Connection{ImageID: app.ID, UserID: ann.ID, Repository: "a/b", Tags: "v*", Sealed: []byte("x")}))(t)
	must(s.CreateWebhook(ctx, catalog.Webhook{Namespace: "team", URL: "https://example.com/", Sealed: []byte("x"), UserID: ann.ID}))(t)

	wantCode(t, s.DeleteUser(ctx, ann.ID, true), catalog.Conflict) // ann is the team's only admin
	noError(t, s.SetMember(ctx, "team", bob.ID, catalog.RoleAdmin))
	last := must(s.LastEvent(ctx))(t)
	noError(t, s.DeleteUser(ctx, ann.ID, false))

	wantEqual(t, "owner of the image", must(s.Image(ctx, app.Ref))(t).OwnerID, 0)
	wantEqual(t, "who asked for the build", must(s.Build(ctx, v1.ID))(t).UserID, 0)
	wantEqual(t, "a waiting build is cancelled", must(s.Build(ctx, waiting.ID))(t).Cancelled, true)
	wantEqual(t, "webhooks", len(must(s.ListWebhooks(ctx, "team", 0))(t)), 1)
	_, err := s.ConnectionByID(ctx, connection.ID)
	wantCode(t, err, catalog.NotFound) // it built as ann
	events := must(s.EventsAfter(ctx, "team", last, 0))(t)
	wantEqual(t, "what the team is told of", len(events), 1)
	wantEqual(t, "the event", events[0], catalog.Event{
		ID: events[0].ID, At: events[0].At, Kind: catalog.EventMemberChanged, NamespaceID: events[0].NamespaceID, Image: catalog.ImageRef{Namespace: "team"}, Member: "ann", Role: catalog.RoleNone,
	})
}

func testDeleteNamespace(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann := newUser(t, s, "ann")
	must(s.CreateNamespace(ctx, "team", ann.ID))(t)
	app := must(s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "team", Name: "app"}, OwnerID: ann.ID}))(t)
	wantCode(t, s.DeleteNamespace(ctx, "nowhere", true), catalog.NotFound)
	for _, name := range []string{"ann", "ANN"} {
		wantCode(t, s.DeleteNamespace(ctx, name, true), catalog.Conflict)
	}
	wantCode(t, s.DeleteNamespace(ctx, "team", false), catalog.Conflict)
	queue(t, s, app, "v1")
	wantCode(t, s.DeleteNamespace(ctx, "team", true), catalog.Conflict)
	finish(t, s, claim(t, s).ID, catalog.OutcomeBuilt)
	noError(t, s.DeleteNamespace(ctx, "TEAM", true))
	wantEqual(t, "left to remove", must(s.Removals(ctx))(t)[0].Image, app.Ref)
	wantEqual(t, "namespaces", names(must(catalog.AllNamespaces(ctx, s, ann.ID))(t), namespaceName), "[ann]")

	// Its name is a user's that comes.
	_, err := s.CreateUser(ctx, catalog.NewUser{Name: "team"})
	wantCode(t, err, catalog.Unavailable)
	endRemovals(t, s)
	newUser(t, s, "team")
	wantEqual(t, "events", len(must(s.EventsAfter(ctx, "team", 0, 0))(t)), 1)
}

func testListAllNamespaces(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	newImage(t, s, "ann", "app")
	newImage(t, s, "ann", "other")
	bob := newUser(t, s, "bob")
	team := must(s.CreateNamespace(ctx, "a-team", bob.ID))(t)
	noError(t, s.SetMember(ctx, "a-team", must(s.User(ctx, "ann"))(t).ID, catalog.RoleAdmin))
	noError(t, s.SetMember(ctx, "ann", bob.ID, catalog.RoleWrite))
	got := must(catalog.EveryNamespace(ctx, s))(t)
	want := []catalog.NamespaceSummary{
		{Namespace: team, Owners: []string{"ann", "bob"}},
		{Namespace: must(s.Namespace(ctx, "ann"))(t), Personal: true, Images: 2, Owners: []string{"ann"}},
		{Namespace: must(s.Namespace(ctx, "bob"))(t), Personal: true, Owners: []string{"bob"}},
	}
	wantEqual(t, "namespaces", got, want)
}

// RunLimits tests the stores that open returns with the given limits.
func RunLimits(t *testing.T, open func(t *testing.T, l catalog.Limits) catalog.Store) {
	s := open(t, catalog.Limits{Tokens: 2, Keys: 2, Namespaces: 2, Images: 2, Webhooks: 2, Secrets: 2})
	ctx := t.Context()
	ann, bob := newUser(t, s, "ann"), newUser(t, s, "bob")
	next := 0
	for what, create := range map[string]func(u catalog.User, name string) error{
		"token": func(u catalog.User, _ string) error {
			next++
			_, err := s.CreateToken(ctx, catalog.NewToken{UserID: u.ID, Hash: tokenHash(byte(next)), Scope: catalog.ScopeRead})
			return err
		},
		"key": func(u catalog.User, name string) error {
			_, err := s.CreateKey(ctx, catalog.NewKey{UserID: u.ID, Fingerprint: "SHA256:" + name})
			return err
		},
		"namespace": func(u catalog.User, name string) error {
			_, err := s.CreateNamespace(ctx, name, u.ID)
			return err
		},
		"image": func(u catalog.User, name string) error {
			_, err := s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: name}, OwnerID: u.ID})
			return err
		},
		"webhook": func(u catalog.User, name string) error {
			_, err := s.CreateWebhook(ctx, catalog.Webhook{Namespace: "ann", URL: "https://example.com/" + name, Sealed: []byte("x"), UserID: u.ID})
			return err
		},
		"secret": func(u catalog.User, name string) error {
			_, err := s.PutSecret(ctx, catalog.Secret{Namespace: "ann", Kind: catalog.SecretValue, Name: name, Sealed: []byte("x"), UserID: u.ID})
			return err
		},
	} {
		noError(t, create(ann, what+"1"))
		noError(t, create(ann, what+"2"))
		if err := create(ann, what+"3"); catalog.CodeOf(err) != catalog.Forbidden {
			t.Errorf("a third %s: %v", what, err)
		}
		noError(t, create(bob, what+"4")) // a limit is each user's
	}

	// What has expired does not count, nor what was deleted.
	carol := newUser(t, s, "carol")
	for n := range 3 {
		must(s.CreateToken(ctx, catalog.NewToken{UserID: carol.ID, Hash: tokenHash(byte(100 + n)), Scope: catalog.ScopeRead, ExpiresAt: base.AddDate(-20, 0, 0)}))(t)
	}
	wantEqual(t, "expired tokens that are kept", len(must(s.ListTokens(ctx, carol.ID))(t)), 1)
	key := must(s.ListKeys(ctx, ann.ID))(t)[0]
	noError(t, s.DeleteKey(ctx, ann.ID, key.ID))
	must(s.CreateKey(ctx, catalog.NewKey{UserID: ann.ID, Fingerprint: "SHA256:new"}))(t)
}
