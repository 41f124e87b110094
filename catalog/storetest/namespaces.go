package storetest

import (
	"sync"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func namespaceName(n catalog.Namespace) string { return n.Name }

func testCreateNamespace(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann := newUser(t, s, "ann")
	for _, name := range []string{"team", "a-team"} {
		n := must(s.CreateNamespace(ctx, name, ann.ID))(t)
		wantEqual(t, "name", n.Name, name)
		wantEqual(t, "role", must(s.Role(ctx, ann.ID, name))(t), catalog.RoleAdmin)
	}
	for name, code := range map[string]catalog.Code{"": catalog.Invalid, "Team": catalog.Invalid, "a/b": catalog.Invalid, "team": catalog.Conflict, "ann": catalog.Conflict} {
		_, err := s.CreateNamespace(ctx, name, ann.ID)
		wantCode(t, err, code)
	}
	_, err := s.CreateNamespace(ctx, "nobodys", 999)
	wantCode(t, err, catalog.NotFound)
	_, err = s.Role(ctx, ann.ID, "nobodys")
	wantCode(t, err, catalog.NotFound)
	wantEqual(t, "list", names(must(catalog.AllNamespaces(ctx, s, ann.ID))(t), namespaceName), "[a-team ann team]")
	wantEqual(t, "list of a stranger", len(must(catalog.AllNamespaces(ctx, s, 999))(t)), 0)
}

func testMembers(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann, bob := newUser(t, s, "ann"), newUser(t, s, "bob")
	wantEqual(t, "stranger", must(s.Role(ctx, bob.ID, "ann"))(t), catalog.RoleNone)
	for _, role := range []catalog.Role{catalog.RoleRead, catalog.RoleWrite, catalog.RoleAdmin, catalog.RoleRead} {
		noError(t, s.SetMember(ctx, "ann", bob.ID, role))
		wantEqual(t, "role", must(s.Role(ctx, bob.ID, "ann"))(t), role)
	}
	members := must(catalog.AllMembers(ctx, s, "ann"))(t)
	if len(members) != 2 || members[0] != (catalog.Member{User: ann, Role: catalog.RoleAdmin}) || members[1] != (catalog.Member{User: bob, Role: catalog.RoleRead}) {
		t.Errorf("members: got %+v", members)
	}
	wantEqual(t, "namespaces of a member", names(must(catalog.AllNamespaces(ctx, s, bob.ID))(t), namespaceName), "[ann bob]")

	noError(t, s.SetMember(ctx, "ann", bob.ID, catalog.RoleNone))
	noError(t, s.SetMember(ctx, "ann", bob.ID, catalog.RoleNone))
	wantEqual(t, "removed", must(s.Role(ctx, bob.ID, "ann"))(t), catalog.RoleNone)
	wantEqual(t, "left", len(must(catalog.AllMembers(ctx, s, "ann"))(t)), 1)

	wantCode(t, s.SetMember(ctx, "nowhere", bob.ID, catalog.RoleRead), catalog.NotFound)
	wantCode(t, s.SetMember(ctx, "ann", 999, catalog.RoleRead), catalog.NotFound)
	wantCode(t, s.SetMember(ctx, "ann", bob.ID, catalog.RoleAdmin+1), catalog.Invalid)
	_, err := catalog.AllMembers(ctx, s, "nowhere")
	wantCode(t, err, catalog.NotFound)
}

func testLastOwner(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann, bob := newUser(t, s, "ann"), newUser(t, s, "bob")
	noError(t, s.SetMember(ctx, "ann", bob.ID, catalog.RoleWrite))
	for _, role := range []catalog.Role{catalog.RoleNone, catalog.RoleRead, catalog.RoleWrite} {
		wantCode(t, s.SetMember(ctx, "ann", ann.ID, role), catalog.Conflict)
	}
	noError(t, s.SetMember(ctx, "ann", ann.ID, catalog.RoleAdmin))
	noError(t, s.SetMember(ctx, "ann", bob.ID, catalog.RoleAdmin))
	noError(t, s.SetMember(ctx, "ann", ann.ID, catalog.RoleNone))
	wantCode(t, s.SetMember(ctx, "ann", bob.ID, catalog.RoleNone), catalog.Conflict)
}

// testLastOwnerRace has two owners leave at the same time: one must stay.
func testLastOwnerRace(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann, bob := newUser(t, s, "ann"), newUser(t, s, "bob")
	noError(t, s.SetMember(ctx, "ann", bob.ID, catalog.RoleAdmin))
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, u := range []catalog.User{ann, bob} {
		wg.Go(func() { errs[i] = s.SetMember(ctx, "ann", u.ID, catalog.RoleNone) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("got %v and %v, want one to succeed", errs[0], errs[1])
	}
	for _, err := range errs {
		if err != nil {
			wantCode(t, err, catalog.Conflict)
		}
	}
}
