package sqlite

import (
	"database/sql"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

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
	audit := func(name, by string, f catalog.AuditFilter) query {
		text, args := listAudit(f)
		return query{name, text, args, by}
	}
	const (
		image    = "versions_newest (image_id=? AND rowid<?)"
		perState = "versions_by_state (image_id=? AND state=? AND rowid<?)"
	)
	jobsOf := []any{sql.Named("kind", "a"), sql.Named("before", 0), sql.Named("busiest", 0)}
	for _, q := range []query{
		audit("ListAudit", "INTEGER PRIMARY KEY (rowid<?)", catalog.AuditFilter{Since: time.Unix(1, 0)}),
		audit("ListAudit of an interface", "audit_via (via=? AND id<?)", catalog.AuditFilter{Via: "rest", Since: time.Unix(1, 0)}),
		audit("ListAudit of an image", "audit_image (image=? AND id<?)", catalog.AuditFilter{Image: "ann/app"}),
		{"tagIsOf", selectTagElsewhere, []any{1, "v1", "c"}, "versions_by_tag (image_id=? AND tag=?)"},
		audit("ListAudit of a user", "audit_who (who=? AND id<?)", catalog.AuditFilter{By: "ann"}),
		list("ListVersions", image),
		list("ListVersions in one state", perState, catalog.Built),
		list("ListVersions in two states", perState, catalog.Built, catalog.Failed),
		list("ListVersions in every state", perState, catalog.States()...),
		{"Version", selectVersionByName, []any{1, "v1"}, "(image_id=? AND name=?)"},
		{"VersionByRecipe", selectVersionByRecipe, []any{1, "r", catalog.Built}, "versions_by_recipe (image_id=? AND recipe=?)"},
		{"TagVersions", selectTagVersions, []any{1, "v1"}, "versions_by_tag (image_id=? AND tag=?)"},
		{"SourceObjects, builds", selectSourceObjects, []any{1}, "builds_by_version (version_id=?)"},
		{"SourceObjects, versions", selectSourceObjects, []any{1}, "versions_by_tag (image_id=?)"},
		{"UnbuiltTags, that wait", selectWaitingTags, []any{1}, "versions_by_state (image_id=? AND state=?)"},
		{"UnbuiltTags, that failed", selectPartlyBuilt, []any{1}, "versions_by_state (image_id=? AND state=?)"},
		{"images of a repository", selectPartlyBuilt, []any{1}, "COVERING INDEX images_by_source (source_id=?)"},
		{"Image", selectImageByRef, []any{"ann", "app"}, "(namespace_id=? AND name=?)"},
		{"ListImages", selectImagesInOne, []any{"ann", math.MaxInt64, 10}, "images_newest (namespace_id=? AND rowid<?)"},
		{"ListImages, last versions", selectImagesInOne, []any{"ann", math.MaxInt64, 10}, "versions_newest (image_id=?)"},
		{"SigningKeys of SSH", selectSigningKey, []any{catalog.RoleWrite, "ann", "ssh", "SHA256:x", 1}, "(fingerprint=?)"},
		{"SigningKeys of OpenPGP", selectSigningKeysByID, []any{catalog.RoleWrite, "ann", "openpgp", "x", 1}, "keys_by_user (user_id=?)"},
		{"ListBuilds", selectBuilds, []any{1, math.MaxInt64, 10}, "builds_by_version (version_id=? AND rowid<?)"},
		{"ClaimBuild, who waits", selectWaiting, []any{0}, "COVERING INDEX queue_by_namespace (running=?)"},
		{"ClaimBuild, what runs", selectRunning, nil, "COVERING INDEX queue_by_namespace (running=?)"},
		{"ReclaimBuilds", selectLost, []any{"me", 0}, "(running=?)"},
		{"NextWake", selectWake, nil, "COVERING INDEX queue_by_time (running=?)"},
		{"QueueState", selectQueue, nil, "COVERING INDEX queue_by_time (running=?)"},
		{"QueueState, the oldest", selectQueue, nil, "SEARCH builds USING INTEGER PRIMARY KEY (rowid=?)"},
		{"Steps", selectSteps, []any{1, catalog.MaxSteps}, "PRIMARY KEY (build_id=?)"},
		{"BuildByNumber", selectByNumber, []any{1, 1}, "builds_by_number (version_id=? AND number=?)"},
		{"FindImages, which namespaces", selectFoundImages, []any{1, "a", "a~", 10}, "members_by_user (user_id=?)"},
		{"FindImages", selectFoundImages, []any{1, "a", "a~", 10}, "(namespace_id=? AND name>? AND name<?)"},
		{"FindVersions by commit", selectByCommit, []any{1, "a", "ag", 10}, "versions_by_commit (commit_id>? AND commit_id<?)"},
		{"FindVersions by digest", selectByDigest, []any{1, "a", "ag", 10}, "versions_by_digest (digest>? AND digest<?)"},
		{"FindVersions, who may see it", selectByDigest, []any{1, "a", "ag", 10}, "SEARCH members USING PRIMARY KEY (namespace_id=? AND user_id=?)"},
		{"ListNamespaces", selectNamespacesOf, []any{1, math.MaxInt64, 10}, "members_by_user (user_id=? AND namespace_id<?)"},
		{"ListAllNamespaces", selectAllNamespaces, []any{catalog.RoleAdmin, "", 10}, "sqlite_autoindex_namespaces_1 (name>?)"},
		{"ListAllNamespaces, images", selectAllNamespaces, []any{catalog.RoleAdmin, "", 10}, "COVERING INDEX images_newest (namespace_id=?)"},
		{"ListUsers", selectUsers, []any{"", 10}, "sqlite_autoindex_users_1 (name>?)"},
		{"Members", selectMembers, []any{1, math.MaxInt64, 10}, "PRIMARY KEY (namespace_id=? AND user_id<?)"},
		{"EventsAfter", selectEvents, []any{0, 10}, "PRIMARY KEY (rowid>?)"},
		{"EventsAfter in a namespace", selectEventsInNamespace, []any{"ann", 0, 10}, "events_by_namespace (namespace=? AND rowid>?)"},
		{"EventsForMember, which namespaces", selectEventsForMember, []any{1, 0, 10}, "members_by_user (user_id=?)"},
		{"EventsForMember, each one's", selectEventsForMember, []any{1, 0, 10}, "COVERING INDEX events_by_namespace (namespace=? AND rowid>?)"},
		{"EventsForMember", selectEventsForMember, []any{1, 0, 10}, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"},
		{"LatestEventsForMember, which namespaces", selectLatestForMember, []any{1, 10}, "members_by_user (user_id=?)"},
		{"LatestEventsForMember, each one's newest", selectLatestForMember, []any{1, 10}, "COVERING INDEX events_by_namespace (namespace=?)"},
		{"LatestEventsForMember, each one's", selectLatestForMember, []any{1, 10}, "COVERING INDEX events_by_namespace (namespace=? AND rowid<?)"},
		{"LatestEventsForMember", selectLatestForMember, []any{1, 10}, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"},
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
		{"ListUnattested", selectUnattested, []any{0, 10}, "attestations USING INTEGER PRIMARY KEY (rowid>?)"},
		{"ListRetentionRules", selectRetentionRules, []any{1, 1}, "retention_rules_by_owner (namespace_id=? AND <expr>=?)"},
		{"ListTombstones", selectTombstones, []any{1}, "PRIMARY KEY (image_id=?)"},
		{"ListBuildLogs", selectBuildLogs, []any{1, 10}, "builds_with_logs (ended_at>? AND ended_at<?)"},
		{"PruneAudit", `DELETE FROM audit WHERE at < ?`, []any{1}, "audit_at (at<?)"},
		{"ListUnmeasured", selectUnmeasured, []any{1, 10}, "versions_unmeasured (image_id=?)"},
		{"ListContents", selectContents, []any{1}, "version_blobs USING PRIMARY KEY (image_id=?)"},
		{"ListContents, of Git LFS", selectLFSContents, []any{1}, "PRIMARY KEY (image_id=?)"},
		{"ListLogs", selectLogs, []any{1}, "builds_by_version (version_id=?)"},
		{"CountVersions", countVersions, []any{1}, "COVERING INDEX versions_newest (image_id=?)"},
		{"CountBuilds", countBuilds, []any{1, 1}, "events_by_namespace (namespace=? AND rowid>?)"},
		{"CountBuilds, since when", countBuilds, []any{1, 1}, "COVERING INDEX events_by_time (at>?)"},
		{"ForgetContents", forgetContents, []any{1, "d"}, "PRIMARY KEY (image_id=? AND digest=?)"},
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
		plan = slices.DeleteFunc(plan, func(detail string) bool {
			return detail == "SCAN merged" || detail == "SCAN waiting" || detail == "SCAN CONSTANT ROW" ||
				strings.HasPrefix(detail, "SCAN moves ") // which has rows for a moment alone
		})
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, q.by) || strings.Contains(text, "SCAN") || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s does not search by %s alone:\n%s", q.name, q.by, text)
		}
	}
}
