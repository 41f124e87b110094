// Package storetest holds the tests that every catalog.Store must pass.
package storetest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// Run tests the stores that open returns, each empty and of its own. open
// registers their closing with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) catalog.Store) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var tests = map[string]func(*testing.T, catalog.Store){
	"Ping":                  testPing,
	"CreateUser":            testCreateUser,
	"FindUsers":             testFindUsers,
	"PasswordHash":          testPasswordHash,
	"Keys":                  testKeys,
	"Tokens":                testTokens,
	"TokenExpiry":           testTokenExpiry,
	"Disable":               testDisable,
	"DisableStopsBuilds":    testDisableStopsBuilds,
	"LastAdmin":             testLastAdmin,
	"LastAdminRace":         testLastAdminRace,
	"DeleteUser":            testDeleteUser,
	"DeleteUserWithImages":  testDeleteUserWithImages,
	"DeleteUserOfATeam":     testDeleteUserOfATeam,
	"DeleteNamespace":       testDeleteNamespace,
	"ListAllNamespaces":     testListAllNamespaces,
	"Search":                testSearch,
	"PagesByName":           testPagesByName,
	"BuildByNumber":         testBuildByNumber,
	"AuditLines":            testAuditLines,
	"AuditLog":              testAuditLog,
	"CreateNamespace":       testCreateNamespace,
	"Members":               testMembers,
	"LastOwner":             testLastOwner,
	"LastOwnerRace":         testLastOwnerRace,
	"CreateImage":           testCreateImage,
	"ImageNamesWithoutCase": testImageNamesWithoutCase,
	"SignedTags":            testSignedTags,
	"SignedTagsOfASource":   testSignedTagsOfASource,
	"SignersChange":         testSignersChange,
	"ListImages":            testListImages,
	"DeleteImage":           testDeleteImage,
	"Removals":              testRemovals,
	"KeptObjectsThatGo":     testKeptObjectsThatGo,
	"Tombstones":            testTombstones,
	"TransferImage":         testTransferImage,
	"FormerNames":           testFormerNames,
	"TransferRefused":       testTransferRefused,
	"RetentionRules":        testRetentionRules,
	"ListRetained":          testListRetained,
	"BuildLogs":             testBuildLogs,
	"ImagesOfARepository":   testImagesOfARepository,
	"TagsOfOneVersion":      testTagsOfOneVersion,
	"RemovedTags":           testRemovedTags,
	"ListAllImages":         testListAllImages,
	"ListVersions":          testListVersions,
	"VersionNamesKeepCase":  testVersionNamesKeepCase,
	"DeleteVersion":         testDeleteVersion,
	"QueueBuilds":           testQueueBuilds,
	"QueueErrors":           testQueueErrors,
	"QueueAllOrNone":        testQueueAllOrNone,
	"Retry":                 testRetry,
	"ListBuilds":            testListBuilds,
	"StateTable":            testStateTable,
	"ClaimBuild":            testClaimBuild,
	"NamespaceLimits":       testNamespaceLimits,
	"QueuePlace":            testQueuePlace,
	"PauseQueue":            testPauseQueue,
	"Usage":                 testUsage,
	"Quotas":                testQuotas,
	"ClaimIsFair":           testClaimIsFair,
	"ClaimTakesTurns":       testClaimTakesTurns,
	"ClaimOfTheIdle":        testClaimOfTheIdle,
	"RecordVersion":         testRecordVersion,
	"ClaimRace":             testClaimRace,
	"QueueRace":             testQueueRace,
	"NotBefore":             testNotBefore,
	"Refund":                testRefund,
	"Reclaim":               testReclaim,
	"LostLease":             testLostLease,
	"FinishBuild":           testFinishBuild,
	"VersionByRecipe":       testVersionByRecipe,
	"CancelBuild":           testCancelBuild,
	"CancelledIsKept":       testCancelledIsKept,
	"Events":                testEvents,
	"EventsForMember":       testEventsForMember,
	"MemberEvents":          testMemberEvents,
	"NoEventWithoutChange":  testNoEventWithoutChange,
	"PruneEvents":           testPruneEvents,
	"Cursor":                testCursor,
	"Jobs":                  testJobs,
	"JobsAreFair":           testJobsAreFair,
	"JobOrder":              testJobOrder,
	"ReclaimJobs":           testReclaimJobs,
	"RepeatJob":             testRepeatJob,
	"PruneJobs":             testPruneJobs,
	"Connections":           testConnections,
	"SourceRefs":            testSourceRefs,
	"Webhooks":              testWebhooks,
	"LFSObjects":            testLFSObjects,
	"LFSObjectUse":          testLFSObjectUse,
	"LFSLocks":              testLFSLocks,
	"Secrets":               testSecrets,
	"Accounts":              testAccounts,
	"Attestations":          testAttestations,
	"Sealed":                testSealed,
}

// base is the instant the tests' clocks start from; stores keep microseconds.
var base = time.Date(2030, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

const worker = "worker"

var (
	commitA = fmt.Sprintf("%040x", 0xa)
	commitB = fmt.Sprintf("%040x", 0xb)
)

// must takes the results of a call that has to succeed.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode fails unless err has the code; the empty code stands for no error.
func wantCode(t *testing.T, err error, code catalog.Code) {
	t.Helper()
	if got := catalog.CodeOf(err); got != code {
		t.Fatalf("got code %q (%v), want %q", got, err, code)
	}
}

// wantEqual compares whole values. Times are to be the same to the location: a store gives them in UTC.
func wantEqual[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	testkit.Same(t, what, got, want, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() }))
}

// wantRecent fails unless a store's own clock made the time just now.
func wantRecent(t *testing.T, what string, at time.Time) {
	t.Helper()
	if age := time.Since(at); age < -time.Second || age > time.Minute || at.Location() != time.UTC {
		t.Errorf("%s: got %v, want about now in UTC", what, at)
	}
}

func newUser(t *testing.T, s catalog.Store, name string) catalog.User {
	t.Helper()
	return must(s.CreateUser(t.Context(), catalog.NewUser{Name: name}))(t)
}

// newImage makes an image, and its namespace by a user of that name when needed.
func newImage(t *testing.T, s catalog.Store, namespace, name string) catalog.Image {
	t.Helper()
	u, err := s.User(t.Context(), namespace)
	if catalog.CodeOf(err) == catalog.NotFound {
		u = newUser(t, s, namespace)
	}
	ref := catalog.ImageRef{Namespace: namespace, Name: name}
	return must(s.CreateImage(t.Context(), catalog.NewImage{Ref: ref, OwnerID: u.ID}))(t)
}

func asked(i catalog.Image, version, commit string) catalog.NewBuild {
	return catalog.NewBuild{ImageID: i.ID, Version: version, Trigger: catalog.TriggerPush, Commit: commit, UserID: i.OwnerID}
}

func queue(t *testing.T, s catalog.Store, i catalog.Image, version string) catalog.QueuedBuild {
	t.Helper()
	return must(s.QueueBuilds(t.Context(), []catalog.NewBuild{asked(i, version, commitA)}))(t)[0]
}

func claim(t *testing.T, s catalog.Store) catalog.Build {
	t.Helper()
	return must(s.ClaimBuild(t.Context(), worker, math.MaxInt, base, base.Add(time.Minute)))(t)
}

func finish(t *testing.T, s catalog.Store, buildID int64, outcome catalog.Outcome) {
	t.Helper()
	noError(t, s.FinishBuild(t.Context(), buildID, worker, resultOf(outcome)))
}

func resultOf(outcome catalog.Outcome) catalog.BuildResult {
	r := catalog.BuildResult{Outcome: outcome, EndedAt: base.Add(time.Second)}
	if outcome == catalog.OutcomeBuilt {
		r.Digest, r.Size = "sha256:d1", 42
	}
	return r
}

// build takes a new version of an image to its end.
func build(t *testing.T, s catalog.Store, i catalog.Image, version string, outcome catalog.Outcome) catalog.Build {
	t.Helper()
	q := queue(t, s, i, version)
	b := claim(t, s)
	wantEqual(t, "claimed build", b.ID, q.ID)
	finish(t, s, b.ID, outcome)
	return must(s.Build(t.Context(), b.ID))(t)
}

// names maps a list to the text of each item.
func names[T any](list []T, name func(T) string) string {
	all := make([]string, 0, len(list))
	for _, v := range list {
		all = append(all, name(v))
	}
	return fmt.Sprint(all)
}

func testPing(t *testing.T, s catalog.Store) { noError(t, s.Ping(t.Context())) }
