package storetest

import (
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func testSearch(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "app")
	newImage(t, s, "ann", "Apple")
	newImage(t, s, "ann", "b")
	bob := newUser(t, s, "bob")
	ann := must(s.User(ctx, "ann"))(t)
	other := newImage(t, s, "carol", "app")
	commit := strings.Repeat("abc1", 10)
	for _, b := range []catalog.NewBuild{
		{ImageID: app.ID, Version: "v1", Commit: commit, Trigger: catalog.TriggerPush},
		{ImageID: app.ID, Version: "v2", Commit: commit, Trigger: catalog.TriggerPush},
		{ImageID: app.ID, Version: "v3", Commit: "abd" + commit[3:], Trigger: catalog.TriggerPush},
		{ImageID: other.ID, Version: "x1", Commit: commit, Trigger: catalog.TriggerPush},
	} {
		must(s.QueueBuilds(ctx, []catalog.NewBuild{b}))(t)
	}
	built := claim(t, s)
	result := resultOf(catalog.OutcomeBuilt)
	result.Digest = "sha256:" + strings.Repeat("5f", 32)
	noError(t, s.FinishBuild(ctx, built.ID, worker, result))
	digest := result.Digest[:14]

	images := func(userID int64, prefix string) string {
		return names(must(s.FindImages(ctx, userID, prefix, 10))(t), catalog.ImageRef.String)
	}
	wantEqual(t, "images", images(ann.ID, "aP"), "[ann/app ann/Apple]")
	wantEqual(t, "one image", images(ann.ID, "appl"), "[ann/Apple]")
	wantEqual(t, "images of a stranger", images(bob.ID, "app"), "[]")
	wantEqual(t, "images up to a limit", len(must(s.FindImages(ctx, ann.ID, "a", 1))(t)), 1)

	versions := func(userID int64, p catalog.VersionPrefix) string {
		return names(must(s.FindVersions(ctx, userID, p, 10))(t), func(f catalog.FoundVersion) string { return f.Image.String() + ":" + f.Name })
	}
	wantEqual(t, "by commit", versions(ann.ID, catalog.VersionPrefix{Commit: commit[:7]}), "[ann/app:v2 ann/app:v1]")
	wantEqual(t, "by commits", versions(ann.ID, catalog.VersionPrefix{Commit: "ab"}), "[ann/app:v3 ann/app:v2 ann/app:v1]")
	wantEqual(t, "in all namespaces", versions(0, catalog.VersionPrefix{Commit: commit}), "[carol/app:x1 ann/app:v2 ann/app:v1]")
	wantEqual(t, "of a stranger", versions(bob.ID, catalog.VersionPrefix{Commit: commit}), "[]")
	wantEqual(t, "by digest", versions(ann.ID, catalog.VersionPrefix{Digest: digest}), "["+built.Image.String()+":"+built.Version+"]")
	wantEqual(t, "by nothing", versions(0, catalog.VersionPrefix{}), "[]")
	wantEqual(t, "up to a limit", len(must(s.FindVersions(ctx, 0, catalog.VersionPrefix{Commit: commit}, 2))(t)), 2)
}

func testPagesByName(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann := newUser(t, s, "ann")
	for _, name := range []string{"bob", "carol"} {
		noError(t, s.SetMember(ctx, "ann", newUser(t, s, name).ID, catalog.RoleRead))
	}
	must(s.CreateNamespace(ctx, "team", ann.ID))(t)
	wantEqual(t, "users", names(must(s.ListUsers(ctx, catalog.NamePage{After: "ANN", Limit: 1}))(t), userName), "[bob]")
	wantEqual(t, "all namespaces", names(must(s.ListAllNamespaces(ctx, catalog.NamePage{After: "bob"}))(t), func(n catalog.NamespaceSummary) string { return n.Name }), "[carol team]")
	first := must(s.ListNamespaces(ctx, ann.ID, catalog.Page{Limit: 1}))(t)
	wantEqual(t, "own namespaces, first", names(first, namespaceName), "[team]")
	wantEqual(t, "own namespaces, then", names(must(s.ListNamespaces(ctx, ann.ID, catalog.Page{Before: first[0].ID}))(t), namespaceName), "[ann]")
	memberName := func(m catalog.Member) string { return m.User.Name }
	members := must(s.Members(ctx, "ann", catalog.Page{Limit: 2}))(t)
	wantEqual(t, "members, first", names(members, memberName), "[carol bob]")
	wantEqual(t, "members, then", names(must(s.Members(ctx, "ann", catalog.Page{Before: members[1].User.ID}))(t), memberName), "[ann]")
}

func testBuildByNumber(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	queue(t, s, i, "v1")
	b := claim(t, s)
	noError(t, s.FinishBuild(ctx, b.ID, worker, resultOf(catalog.OutcomeUserError)))
	queue(t, s, i, "v1")
	for number := range 4 {
		got, err := s.BuildByNumber(ctx, b.VersionID, number)
		if there := number == 1 || number == 2; there && (err != nil || got.Number != number) || !there && catalog.CodeOf(err) != catalog.NotFound {
			t.Errorf("build %d: %+v, %v", number, got, err)
		}
	}
}
