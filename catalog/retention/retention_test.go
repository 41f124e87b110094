package retention_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/retention"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
)

// env is a Service over a real store, with an image ann/app; all of the world beside is played.
type env struct {
	t       *testing.T
	store   *sqlite.Store
	image   catalog.Image
	config  retention.Config
	now     time.Time
	lists   map[string][]string // manifests of indexes
	moving  map[string]string
	pulled  map[string]bool
	tips    map[string]string
	broken  error // of whatever is asked about manifests
	locked  bool  // by a backup
	removes int
	logs    []int64
	told    catalog.Removed
}

func (e *env) Manifests(d string) ([]string, error) {
	return append([]string{d}, e.lists[d]...), e.broken
}
func (e *env) PulledSince(d string, _ time.Time) bool { return e.pulled[d] }
func (e *env) RemoveLogs(builds []int64) (int64, error) {
	e.logs = append(e.logs, builds...)
	return int64(10 * len(builds)), nil
}
func (e *env) Removing() (func(), error) {
	if e.locked {
		return nil, catalog.Errorf(catalog.Unavailable, "a backup is running")
	}
	return func() {}, nil
}
func (e *env) BranchTips(context.Context, catalog.ImageRef) (map[string]string, error) {
	return e.tips, nil
}
func (e *env) MovingTags(context.Context, catalog.Image) (map[string]string, error) {
	return e.moving, nil
}

func newEnv(t *testing.T) *env {
	e := &env{t: t, store: sqlitetest.Open(t, t.TempDir()), now: time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC), lists: map[string][]string{}, pulled: map[string]bool{}}
	user, err := e.store.CreateUser(t.Context(), catalog.NewUser{Name: "ann"})
	e.must(err)
	e.image, err = e.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "app"}, OwnerID: user.ID})
	e.must(err)
	e.config = retention.Config{
		Store: e.store, Images: e, Branches: e, Logs: e, Removing: e.Removing, Now: func() time.Time { return e.now },
		Remove:  func(context.Context) { e.removes++ },
		Removed: func(r catalog.Removed) { e.told = r },
		Settings: retention.Settings{
			Rules: map[catalog.RetentionKind]catalog.RetentionRule{catalog.RetainVersions: {KeepLast: 1}, catalog.RetainBranches: {KeepDays: 10}},
		},
	}
	return e
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func digestOf(image catalog.Image, version string) string {
	return "sha256:" + image.Ref.Name + "-" + version
}

// build makes a version whose build ended so many days ago. Its digest follows from its name.
func (e *env) build(image catalog.Image, version, branch string, days int, outcome catalog.Outcome, bases ...string) catalog.Build {
	e.t.Helper()
	ctx := e.t.Context()
	_, err := e.store.QueueBuilds(ctx, []catalog.NewBuild{{
		ImageID: image.ID, Version: version, Trigger: catalog.TriggerPush, Commit: fmt.Sprintf("%040x", len(version)+int(version[0])), UserID: image.OwnerID,
		Options: catalog.BuildOptions{Branch: branch},
	}})
	e.must(err)
	b, err := e.store.ClaimBuild(ctx, "w", math.MaxInt, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))
	e.must(err)
	r := catalog.BuildResult{Outcome: outcome, EndedAt: e.now.Add(-time.Duration(days) * 24 * time.Hour)}
	if outcome == catalog.OutcomeBuilt {
		r.Digest, r.Size, r.Facts = digestOf(image, version), 100, &catalog.BuildFacts{}
		for _, base := range bases {
			r.Facts.Bases = append(r.Facts.Bases, catalog.BaseImage{Digest: base})
		}
	}
	e.must(e.store.FinishBuild(ctx, b.ID, "w", r))
	e.must(e.store.EndAttestation(ctx, b.ID))
	return b
}

func (e *env) apply() catalog.Removed {
	e.t.Helper()
	removed, err := retention.New(e.config).Apply(e.t.Context())
	e.must(err)
	return removed
}

// left are the names of an image's versions, sorted.
func (e *env) left(image catalog.Image) string {
	e.t.Helper()
	versions, err := e.store.ListRetained(e.t.Context(), image.ID)
	e.must(err)
	var names []string
	for _, v := range versions {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestApplyRemovesWhatNothingKeeps(t *testing.T) {
	e := newEnv(t)
	e.build(e.image, "v1", "", 30, catalog.OutcomeBuilt)
	e.build(e.image, "v2", "", 20, catalog.OutcomeBuilt)
	e.build(e.image, "main-1", "main", 11, catalog.OutcomeBuilt)
	e.build(e.image, "main-2", "main", 9, catalog.OutcomeBuilt)
	e.build(e.image, "bad", "", 31, catalog.OutcomeUserError)
	e.config.Lifetimes.Failed = 30
	want := catalog.Removed{Built: 2, Failed: 1, ImageBytes: 200}
	if got := e.apply(); got != want || e.told != want || e.removes != 1 {
		t.Errorf("removed %+v, told %+v, files removed %d times", got, e.told, e.removes)
	}
	if left := e.left(e.image); left != "main-2 v2" {
		t.Errorf("left: %s", left)
	}
	stones, err := e.store.ListTombstones(t.Context(), e.image.ID)
	e.must(err)
	if len(stones) != 2 || stones[1].Version != "v1" || stones[1].Reason != "the installation's rule for versions keeps the last 1" {
		t.Errorf("tombstones: %+v", stones)
	}
	// Once more changes nothing.
	if got := e.apply(); got != (catalog.Removed{}) || e.removes != 1 {
		t.Errorf("removed %+v more, files removed %d times", got, e.removes)
	}
}

// What is needed stays, whatever the rule: each case is the one thing that keeps v1, or main-1, from being removed.
func TestApplyKeepsWhatIsNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(e *env)
		keeps   string
	}{
		"nothing":                              {func(*env) {}, ""},
		"a base of another image":              {func(e *env) { e.build(e.other(), "v1", "", 1, catalog.OutcomeBuilt, digestOf(e.image, "v1")) }, "v1"},
		"a base of a later version of its own": {func(e *env) { e.build(e.image, "v3", "", 1, catalog.OutcomeBuilt, digestOf(e.image, "v1")) }, "v1"},
		"one platform's part is a base": {func(e *env) {
			e.lists[digestOf(e.image, "v1")] = []string{"sha256:amd64", "sha256:arm64"}
			e.build(e.other(), "v1", "", 1, catalog.OutcomeBuilt, "sha256:arm64")
		}, "v1"},
		"pulled lately": {func(e *env) { e.pulled[digestOf(e.image, "v1")] = true }, "v1"},
		"one platform is pulled": {func(e *env) {
			e.lists[digestOf(e.image, "v1")], e.pulled["sha256:arm64"] = []string{"sha256:arm64"}, true
		}, "v1"},
		"a moving tag":              {func(e *env) { e.moving = map[string]string{digestOf(e.image, "v1"): "buildcache"} }, "v1"},
		"the tip of a branch":       {func(e *env) { e.tips = map[string]string{"main": commitOf(e, "main-1")} }, "main-1"},
		"the tip of another branch": {func(e *env) { e.tips = map[string]string{"other": commitOf(e, "main-1")} }, ""},
		"nobody knows":              {func(e *env) { e.broken = errors.New("the disk is on fire") }, "main-1 v1"},
		"its image is gone":         {func(e *env) { e.broken = catalog.Errorf(catalog.NotFound, "there is no manifest") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.build(e.image, "v1", "", 30, catalog.OutcomeBuilt)
			e.build(e.image, "main-1", "main", 30, catalog.OutcomeBuilt)
			e.build(e.image, "v2", "", 20, catalog.OutcomeBuilt)
			c.prepare(e)
			e.apply()
			left := strings.Fields(e.left(e.image))
			left = slices.DeleteFunc(left, func(name string) bool { return name != "v1" && name != "main-1" })
			if got := strings.Join(left, " "); got != c.keeps {
				t.Errorf("kept %q, want %q", got, c.keeps)
			}
		})
	}
}

func (e *env) other() catalog.Image {
	e.t.Helper()
	other, err := e.store.CreateImage(e.t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "other"}, OwnerID: e.image.OwnerID})
	e.must(err)
	return other
}

func commitOf(e *env, version string) string {
	v, err := e.store.Version(e.t.Context(), e.image.ID, version)
	e.must(err)
	return v.Commit
}

func TestUnsignedAndLatestStay(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	e.build(e.image, "latest", "", 40, catalog.OutcomeBuilt)
	e.build(e.image, "v1", "", 2, catalog.OutcomeBuilt)
	_, err := e.store.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: e.image.ID, Version: "unsigned", Trigger: catalog.TriggerPush, Commit: "c", UserID: e.image.OwnerID}})
	e.must(err)
	b, err := e.store.ClaimBuild(ctx, "w", math.MaxInt, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))
	e.must(err)
	e.must(e.store.FinishBuild(ctx, b.ID, "w", catalog.BuildResult{Outcome: catalog.OutcomeBuilt, Digest: "sha256:u", EndedAt: e.now.Add(-100 * 24 * time.Hour), Facts: &catalog.BuildFacts{}}))
	e.apply()
	if left := e.left(e.image); left != "latest unsigned v1" {
		t.Errorf("left: %s", left)
	}
	e.must(e.store.EndAttestation(ctx, b.ID))
	e.apply()
	if left := e.left(e.image); left != "latest v1" {
		t.Errorf("left when it is signed: %s", left)
	}
}

// An image whose rule keeps all is not emptied by the namespace's, nor are other images spared by it.
func TestRulesOfImagesAndNamespaces(t *testing.T) {
	e := newEnv(t)
	e.config.Rules = nil
	other := e.other()
	for _, image := range []catalog.Image{e.image, other} {
		for i, name := range []string{"v1", "v2", "v3"} {
			e.build(image, name, "", 30-i, catalog.OutcomeBuilt)
		}
	}
	set := func(imageID int64, rule catalog.RetentionRule) {
		e.must(e.store.SetRetentionRule(t.Context(), catalog.ScopedRule{
			RetentionScope: catalog.RetentionScope{Namespace: "ann", ImageID: imageID}, Kind: catalog.RetainVersions, Rule: rule,
		}))
	}
	set(0, catalog.RetentionRule{KeepLast: 1})
	set(other.ID, catalog.RetentionRule{Keep: "*"})
	instead := &catalog.ScopedRule{Kind: catalog.RetainVersions, Rule: catalog.RetentionRule{KeepLast: 2}}
	decisions, err := retention.New(e.config).Preview(t.Context(), other, instead)
	e.must(err)
	if gone := slices.IndexFunc(decisions, func(d catalog.RetentionDecision) bool { return !d.Keeps }); gone != 2 || decisions[2].Name != "v1" {
		t.Errorf("preview: %+v", decisions)
	}
	e.apply()
	if one, two := e.left(e.image), e.left(other); one != "v3" || two != "v1 v2 v3" {
		t.Errorf("left: %s, and of the other %s", one, two)
	}
}

// A run that is cut short is brought to its end by the next one, and nothing is removed twice.
func TestApplyIsCutShort(t *testing.T) {
	const made = 130 // which is more than are removed together
	e := newEnv(t)
	for i := range made {
		e.build(e.image, fmt.Sprintf("v%d", i), "", 200-i, catalog.OutcomeBuilt)
	}
	ctx, cancel := context.WithCancel(t.Context())
	remove := e.config.Remove
	e.config.Remove = func(ctx context.Context) { cancel(); remove(ctx) }
	first, err := retention.New(e.config).Apply(ctx)
	if err == nil || first.Built == 0 || first.Built >= made-1 || e.removes != 1 {
		t.Fatalf("cut short: %+v, %v; files removed %d times", first, err, e.removes)
	}
	if second := e.apply(); first.Built+second.Built != made-1 || e.left(e.image) != "v129" {
		t.Errorf("removed %d, then %d; left: %s", first.Built, second.Built, e.left(e.image))
	}
	removals, err := e.store.Removals(t.Context())
	e.must(err)
	if len(removals) != made-1 {
		t.Errorf("%d removals are left to do", len(removals))
	}
}

func TestLogsAndEventsGo(t *testing.T) {
	e := newEnv(t)
	e.config.Lifetimes = retention.Lifetimes{Logs: 7, Events: 1}
	old := e.build(e.image, "v1", "", 8, catalog.OutcomeBuilt)
	e.build(e.image, "v2", "", 6, catalog.OutcomeBuilt)
	e.config.Rules = nil
	e.locked = true
	if got := e.apply(); got != (catalog.Removed{}) {
		t.Errorf("while a backup runs: %+v", got)
	}
	e.locked = false
	if got := e.apply(); got != (catalog.Removed{Logs: 1, LogBytes: 10}) || !slices.Equal(e.logs, []int64{old.ID}) {
		t.Errorf("removed %+v: %v", got, e.logs)
	}
	if got := e.apply(); got != (catalog.Removed{}) {
		t.Errorf("once more: %+v", got)
	}
	b, err := e.store.Build(t.Context(), old.ID)
	e.must(err)
	if !b.LogRemovedAt.Equal(e.now) || b.CheckLog() == nil {
		t.Errorf("the build: %+v", b)
	}
	// The store's clock is today's: what it recorded is long ago for the Service, or to come.
	e.now = time.Now().Add(48 * time.Hour)
	e.apply()
	if events, err := e.store.EventsAfter(t.Context(), "", 0, 0); err != nil || len(events) != 0 {
		t.Errorf("events: %+v, %v", events, err)
	}
}
