package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/fandoghpaas/fandogh/catalog"
)

// recorder opens connections that remember what was asked by them.
type recorder struct {
	dsn   string
	asked map[string][]any // arguments by query
}

func (r *recorder) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

func (r *recorder) Connect(context.Context) (driver.Conn, error) {
	conn, err := r.Driver().Open(r.dsn)
	if err != nil {
		return nil, err
	}
	return &recording{conn.(*sqlite3.SQLiteConn), r}, nil
}

type recording struct {
	*sqlite3.SQLiteConn
	to *recorder
}

func (c *recording) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	values := []any{}
	for _, a := range args {
		values = append(values, a.Value)
	}
	c.to.asked[query] = values
	return c.SQLiteConn.QueryContext(ctx, query, args)
}

// few are tables that are read whole, as they hold what waits and runs, or a row for few namespaces.
var few = regexp.MustCompile(`^(SCAN (queue|queue_pause|namespace_limits)\b|USE TEMP B-TREE FOR ORDER BY$)`)

// TestPagesSearchIndexes holds everything that the pages read to searches of indexes: each method of the store that
// catalog/web calls is called, and what it asks is explained.
func TestPagesSearchIndexes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fandogh.db")
	s := openAt(t, path)
	asked := &recorder{dsn(path, busyTimeout), map[string][]any{}}
	if err := s.r.Close(); err != nil {
		t.Fatal(err)
	}
	s.r = sql.OpenDB(asked)
	s.r.SetMaxOpenConns(1)
	ctx := t.Context()
	user, err := s.CreateUser(ctx, catalog.NewUser{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	image, err := s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "app"}, OwnerID: user.ID})
	if err != nil {
		t.Fatal(err)
	}
	queued, err := s.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: image.ID, Version: "v1", Commit: "c0ffee1", Trigger: catalog.TriggerPush}})
	if err != nil {
		t.Fatal(err)
	}
	build, page := queued[0], catalog.Page{Limit: 10}
	scope := catalog.RetentionScope{Namespace: "ann", ImageID: image.ID}
	reads := map[string]func(){
		"Build": func() { _, _ = s.Build(ctx, build.ID) }, "BuildByNumber": func() { _, _ = s.BuildByNumber(ctx, build.VersionID, 1) },
		"EventsForMember": func() { _, _ = s.EventsForMember(ctx, user.ID, 1, 1) }, "LatestEventsForMember": func() { _, _ = s.LatestEventsForMember(ctx, user.ID, 1) },
		"LastEvent": func() { _, _ = s.LastEvent(ctx) }, "NewEvents": func() {},
		"FindImages": func() { _, _ = s.FindImages(ctx, user.ID, "a", 1) },
		"FindVersions": func() {
			_, _ = s.FindVersions(ctx, user.ID, catalog.VersionPrefix{Commit: "c"}, 1)
			_, _ = s.FindVersions(ctx, 0, catalog.VersionPrefix{Digest: "sha256:c"}, 1)
		},
		"Image":             func() { _, _ = s.Image(ctx, image.Ref) },
		"ListAllNamespaces": func() { _, _ = s.ListAllNamespaces(ctx, catalog.NamePage{}) },
		"ListAudit": func() {
			for _, f := range []catalog.AuditFilter{{}, {By: "a"}, {Via: "a"}, {Image: "a"}, {By: "a", Via: "a", Image: "a", Since: time.Unix(1, 0), Until: time.Unix(2, 0)}} {
				_, _ = s.ListAudit(ctx, f)
			}
		},
		"ListBuilds": func() { _, _ = s.ListBuilds(ctx, build.VersionID, page) }, "ListImages": func() { _, _ = s.ListImages(ctx, "ann", page) },
		"ListKeys": func() { _, _ = s.ListKeys(ctx, user.ID) }, "ListTokens": func() { _, _ = s.ListTokens(ctx, user.ID) },
		"ListNamespaces": func() { _, _ = s.ListNamespaces(ctx, user.ID, page) }, "ListQueue": func() { _, _ = s.ListQueue(ctx, 0, 10) },
		"ListUsers": func() { _, _ = s.ListUsers(ctx, catalog.NamePage{}) }, "Members": func() { _, _ = s.Members(ctx, "ann", page) },
		"ListVersions": func() {
			_, _ = s.ListVersions(ctx, image.ID, catalog.VersionFilter{Page: page})
			_, _ = s.ListVersions(ctx, image.ID, catalog.VersionFilter{States: []catalog.State{catalog.Built}, Page: page})
		},
		"Namespace": func() { _, _ = s.Namespace(ctx, "ann") }, "NamespaceLimits": func() { _, _ = s.NamespaceLimits(ctx, "ann") },
		"QueuePause": func() { _, _ = s.QueuePause(ctx) }, "QueueState": func() { _, _ = s.QueueState(ctx) },
		"Role": func() { _, _ = s.Role(ctx, user.ID, "ann") }, "User": func() { _, _ = s.User(ctx, "ann") }, "UserByID": func() { _, _ = s.UserByID(ctx, user.ID) },
		"Steps": func() { _, _ = s.Steps(ctx, build.ID) }, "Version": func() { _, _ = s.Version(ctx, image.ID, "v1") },
		// By way of what the pages are given beside the store.
		"by the builder": func() { _, _ = s.QueuePlace(ctx, build.ID) },
		"by accounts":    func() { _, _, _ = s.TokenByHash(ctx, []byte{1}, time.Now()) },
		"by webhooks": func() {
			_, _ = s.ListWebhooks(ctx, "ann", image.ID)
			_, _ = s.Webhook(ctx, 1)
			_, _ = s.ListJobs(ctx, "webhook", 1, page)
		},
		"by GitHub": func() {
			_, _ = s.ConnectionOf(ctx, image.ID)
			_, _ = s.ListSourceRefs(ctx, 1, 10)
		},
		"by retention": func() {
			_, _ = s.ListRetentionRules(ctx, scope)
			_, _ = s.ListRetained(ctx, image.ID)
		},
	}
	writes := []string{
		"DeleteImage", "DeleteKey", "DeleteNamespace", "DeleteRetentionRule", "DeleteToken", "DeleteTokens", "DeleteUser", "PauseQueue", "ResumeQueue",
		"SetMember", "SetNamespaceLimits", "SetRetentionRule", "UpdateImage", "UpdateUser",
	}
	for _, name := range methodsOfThePages(t) {
		if _, known := reads[name]; !known && !slices.Contains(writes, name) {
			t.Errorf("the pages use Store.%s, whose queries are not explained here", name)
		}
	}
	for _, read := range reads {
		read()
	}
	explain := openAt(t, path)
	for query, args := range asked.asked {
		plan, err := all(ctx, explain.r, func(row scanner) (detail string, err error) {
			var id, parent, unused int
			return detail, row.Scan(&id, &parent, &unused, &detail)
		}, "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		reads := strings.Contains(query, "FROM queue") || strings.Contains(query, "namespace_limits") // what few may be read of
		for _, detail := range plan {
			scans := strings.HasPrefix(detail, "SCAN ") && !strings.HasPrefix(detail, "SCAN merged") && detail != "SCAN CONSTANT ROW"
			if (scans || strings.Contains(detail, "TEMP B-TREE")) && (!reads || !few.MatchString(detail)) {
				t.Errorf("%s\nis done by %q", query, detail)
			}
		}
	}
}

// methodsOfThePages finds the methods of the store that catalog/web calls.
func methodsOfThePages(t *testing.T) (names []string) {
	t.Helper()
	files, err := os.ReadDir("../web")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../web", file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\b[sS]tore\.([A-Z]\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	if len(names) < 20 {
		t.Errorf("only %v were found", names)
	}
	return names
}
