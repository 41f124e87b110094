package sqlite

import (
	"database/sql"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// TestPlans holds the queries that a growing catalog must not slow down to
// searches of an index that yields the wanted order.
func TestPlans(t *testing.T) {
	s := openNew(t)
	type query struct {
		name, text string
		args       []any
		by         string // index and columns of a search in it
	}
	list := func(name, by string, states ...catalog.State) query {
		text, args := listVersions(1, catalog.VersionFilter{States: states})
		return query{name, text, args, by}
	}
	const (
		image    = "versions_newest (image_id=? AND rowid<?)"
		perState = "versions_by_state (image_id=? AND state=? AND rowid<?)"
	)
	jobsOf := []any{sql.Named("kind", "a"), sql.Named("before", 0), sql.Named("busiest", 0)}
	for _, q := range []query{
		list("ListVersions", image),
		list("ListVersions in one state", perState, catalog.Built),
		list("ListVersions in two states", perState, catalog.Built, catalog.Failed),
		list("ListVersions in every state", perState, catalog.States()...),
		{"Version", selectVersionByName, []any{1, "v1"}, "(image_id=? AND name=?)"},
		{"Image", selectImageByRef, []any{"ann", "app"}, "(namespace_id=? AND name=?)"},
		{"ListImages", selectImagesInOne, []any{"ann", math.MaxInt64, 10}, "images_newest (namespace_id=? AND rowid<?)"},
		{"ListImages, last versions", selectImagesInOne, []any{"ann", math.MaxInt64, 10}, "versions_newest (image_id=?)"},
		{"ListBuilds", selectBuilds, []any{1, math.MaxInt64, 10}, "builds_by_version (version_id=? AND rowid<?)"},
		{"ClaimBuild, who waits", selectWaiting, []any{0}, "COVERING INDEX queue_by_namespace (running=?)"},
		{"ClaimBuild, what runs", selectRunning, nil, "COVERING INDEX queue_by_namespace (running=?)"},
		{"ReclaimBuilds", selectLost, []any{"me", 0}, "(running=?)"},
		{"NextWake", selectWake, nil, "COVERING INDEX queue_by_time (running=?)"},
		{"Steps", selectSteps, []any{1}, "PRIMARY KEY (build_id=?)"},
		{"EventsAfter", selectEvents, []any{0, 10}, "PRIMARY KEY (rowid>?)"},
		{"EventsAfter in a namespace", selectEventsInNamespace, []any{"ann", 0, 10}, "events_by_namespace (namespace=? AND rowid>?)"},
		{"EventsForMember, which namespaces", selectEventsForMember, []any{1, 0, 10}, "members_by_user (user_id=?)"},
		{"EventsForMember, each one's", selectEventsForMember, []any{1, 0, 10}, "COVERING INDEX events_by_namespace (namespace=? AND rowid>?)"},
		{"EventsForMember", selectEventsForMember, []any{1, 0, 10}, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"},
		{"ClaimJob", selectWaitingOf, jobsOf, "jobs_to_do (kind=? AND namespace_id=? AND not_before<?)"},
		{"ClaimJob, who waits", selectWaitingOf, jobsOf, "COVERING INDEX jobs_to_do (kind=? AND namespace_id>?)"},
		{"ClaimJob, what runs", selectWaitingOf, jobsOf, "COVERING INDEX jobs_of_running (kind=? AND namespace_id=?)"},
		{"NextJob", selectNextJob, []any{"a"}, "COVERING INDEX jobs_next (kind=?)"},
		{"ListJobs", selectJobsOf, []any{"a", 1, math.MaxInt64, 10}, "jobs_by_subject (kind=? AND subject=? AND rowid<?)"},
		{"ConnectionsTo", selectConnectionsTo, []any{"a/b"}, "connections_by_repository (repository=?)"},
		{"ConnectionsToID", selectConnectionsToID, []any{1}, "connections_by_repository_id (repository_id=?)"},
		{"ListSourceRefs", selectSourceRefs, []any{1, 10}, "source_refs_newest (connection_id=?)"},
		{"FromSource", selectFromSource, []any{1, "c"}, "source_refs_by_commit (connection_id=? AND commit_id=?)"},
		{"tokens of a user", countTokens, []any{1}, "tokens_by_user (user_id=?)"},
		{"keys of a user", countKeys, []any{1}, "keys_by_user (user_id=?)"},
		{"namespaces of a user", countNamespaces, []any{1}, "namespaces_by_creator (creator_id=?)"},
		{"images of a user", countImages, []any{1}, "images_by_owner (owner_id=?)"},
		{"webhooks of a user", countWebhooks, []any{1}, "webhooks_by_user (user_id=?)"},
		{"secrets of a user", countSecrets, []any{1}, "secrets_by_user (user_id=?)"},
		{"ListSecrets", selectSecrets, []any{1}, "secrets_by_owner (<expr>=?)"},
		{"waiting builds of a user", stopWaitingBuilds, []any{1}, "(running=?)"},
		{"LFSObject", selectObject, []any{1, "a"}, "PRIMARY KEY (image_id=? AND oid=?)"},
		{"ListLFSObjects", selectObjects, []any{1}, "PRIMARY KEY (image_id=?)"},
		{"ListLFSLocks", selectLocksOf, []any{1, 0, 0, 0, "", "", 10}, "lfs_locks_newest (image_id=? AND rowid>?)"},
		{"WebhooksFor", selectWebhooksFor, []any{1, 1}, "webhooks_by_owner (namespace_id=? AND <expr>=?)"},
	} {
		plan, err := all(t.Context(), s.r, func(row scanner) (detail string, err error) {
			var id, parent, unused int
			return detail, row.Scan(&id, &parent, &unused, &detail)
		}, "EXPLAIN QUERY PLAN "+q.text, q.args...)
		if err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
		// The rows of a query's own table are those it returns.
		plan = slices.DeleteFunc(plan, func(detail string) bool { return detail == "SCAN merged" || detail == "SCAN waiting" })
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, q.by) || strings.Contains(text, "SCAN") || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s does not search by %s alone:\n%s", q.name, q.by, text)
		}
	}
}
