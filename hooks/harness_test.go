package hooks_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/hooks"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

const (
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	tagObj  = "cccccccccccccccccccccccccccccccccccccccc"
	worker  = "worker"
)

// memorySources is a catalog.Sources without git: tags by repository.
type memorySources struct {
	mu    sync.Mutex
	tags  map[catalog.ImageRef]map[string]string
	kept  []string
	store map[string]bool // tags marked as history
	aside []catalog.ImageRef
}

func (s *memorySources) Tree(context.Context, catalog.ImageRef, string) (catalog.Tree, error) {
	return nil, errors.ErrUnsupported
}
func (s *memorySources) Peek(context.Context, catalog.ImageRef, string) (catalog.CommitFiles, error) {
	return nil, errors.ErrUnsupported
}

func (s *memorySources) Store(_ context.Context, _ catalog.ImageRef, tags map[string]bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		s.store = map[string]bool{}
	}
	maps.Copy(s.store, tags)
	return nil
}

func (s *memorySources) Delete(context.Context, catalog.ImageRef) error { return errors.ErrUnsupported }

func (s *memorySources) SetAside(_ context.Context, ref catalog.ImageRef) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aside = append(s.aside, ref)
	delete(s.tags, ref)
	return "somewhere", nil
}

func (s *memorySources) Keep(_ context.Context, _ catalog.ImageRef, commit string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, commit)
	return nil
}

func (s *memorySources) ReadTag(_ context.Context, _ catalog.ImageRef, object string) ([]byte, error) {
	return []byte(object), nil
}

func (s *memorySources) WithdrawTag(_ context.Context, ref catalog.ImageRef, tag, commit string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref = lower(ref)
	if s.tags[ref][tag] == commit {
		delete(s.tags[ref], tag)
	}
	return nil
}

func (s *memorySources) SetTag(_ context.Context, ref catalog.ImageRef, tag, commit string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags := s.tags[lower(ref)]
	if there, ok := tags[tag]; ok && there != commit {
		return catalog.Errorf(catalog.Conflict, "tag %s is of another commit", tag)
	}
	tags[tag] = commit
	return nil
}

func (s *memorySources) Tags(_ context.Context, ref catalog.ImageRef) ([]catalog.TagRef, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tags []catalog.TagRef
	for name, commit := range s.tags[lower(ref)] {
		tags = append(tags, catalog.TagRef{Name: name, Object: commit, Commit: commit, Stored: s.store[name]})
	}
	return tags, nil
}

// lower names the repository of an image, as it is on disk.
func lower(ref catalog.ImageRef) catalog.ImageRef {
	return catalog.ImageRef{Namespace: ref.Namespace, Name: strings.ToLower(ref.Name)}
}

func (s *memorySources) Repositories(context.Context) ([]catalog.ImageRef, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refs []catalog.ImageRef
	for ref := range s.tags {
		refs = append(refs, ref)
	}
	return refs, nil
}

// env is the hooks over the real store, with this test as the builder.
type env struct {
	t       *testing.T
	store   *sqlite.Store
	sources *memorySources
	image   catalog.Image
	config  hooks.Config // of hooks
	hooks   *hooks.Hooks

	mu        sync.Mutex
	submits   int
	cancelled []int64
	before    func(builds []catalog.NewBuild) error // runs before a submit
	logs      map[string]scriptedLog                // by version
}

// scriptedLog is what following a version's build gives.
type scriptedLog struct {
	lines  []string
	result catalog.BuildResult // how it ends, when err is nil
	err    error
	hang   bool // until the follower's context ends
}

func newEnv(t *testing.T) *env {
	t.Helper()
	store := sqlitetest.Open(t, t.TempDir())
	user, err := store.CreateUser(t.Context(), catalog.NewUser{Name: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	image, err := store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "alice", Name: "App"}, OwnerID: user.ID})
	if err != nil {
		t.Fatal(err)
	}
	h := &env{
		t: t, store: store, image: image, logs: map[string]scriptedLog{},
		sources: &memorySources{tags: map[catalog.ImageRef]map[string]string{{Namespace: "alice", Name: "app"}: {}}},
	}
	h.config = hooks.Config{
		Store: store, Submitter: h, Logs: h, Control: h, Sources: h.sources,
		SSHAddress:     func() string { return "git.example:2222" },
		PublicRegistry: func() string { return "registry.example" },
	}
	h.hooks = hooks.New(h.config)
	return h
}

func (e *env) Submit(ctx context.Context, builds []catalog.NewBuild) ([]catalog.QueuedBuild, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.submits++
	if e.before != nil {
		if err := e.before(builds); err != nil {
			return nil, err
		}
	}
	return e.store.QueueBuilds(ctx, builds)
}

func (e *env) ReadLog(context.Context, int64, int, int) ([]catalog.LogLine, error) {
	return nil, errors.ErrUnsupported
}

func (e *env) FollowLog(ctx context.Context, id int64, _ int, emit func([]catalog.LogLine) error) (catalog.Build, error) {
	build, err := e.store.Build(context.WithoutCancel(ctx), id)
	if err != nil {
		return build, err
	}
	e.mu.Lock()
	log := e.logs[build.Version]
	e.mu.Unlock()
	for _, line := range log.lines {
		if err := emit([]catalog.LogLine{{Text: line}}); err != nil {
			return build, err
		}
	}
	if log.hang {
		<-ctx.Done()
		return build, context.Cause(ctx)
	}
	build.Outcome, build.Message, build.State = log.result.Outcome, log.result.Message, log.result.Outcome.State()
	return build, log.err
}

func (e *env) Cancel(_ context.Context, id int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cancelled = append(e.cancelled, id)
	return nil
}

func (e *env) CancelWaiting(ctx context.Context, id int64) (bool, error) {
	_, err := e.store.CancelBuild(ctx, id, time.Now())
	return err == nil, err
}

func (*env) Wake() {}

func (e *env) Queued(context.Context, int64) (catalog.QueuePlace, error) {
	panic("not used")
}

func (e *env) Rebuild(context.Context, int64, string, int64, []string) (catalog.Build, error) {
	return catalog.Build{}, errors.ErrUnsupported
}

// version brings a version to a state, as a build of a commit leaves it.
func (e *env) version(name, commit string, state catalog.State) {
	e.t.Helper()
	ctx := e.t.Context()
	queued, err := e.store.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: e.image.ID, Version: name, Trigger: catalog.TriggerPush, Commit: commit}})
	if err != nil {
		e.t.Fatal(err)
	}
	if state == catalog.Pending {
		return
	}
	claimed, err := e.store.ClaimBuild(ctx, worker, math.MaxInt, time.Now(), time.Now().Add(time.Hour))
	if err != nil || claimed.ID != queued[0].ID {
		e.t.Fatalf("claimed %d, want %d: %v", claimed.ID, queued[0].ID, err)
	}
	result := catalog.BuildResult{EndedAt: time.Now()}
	switch state {
	case catalog.Building:
		return
	case catalog.Built:
		result.Outcome, result.Digest = catalog.OutcomeBuilt, "sha256:"+strings.Repeat("0", 64)
	case catalog.BuildFailed:
		result.Outcome = catalog.OutcomeUserError
	case catalog.Failed:
		result.Outcome = catalog.OutcomeTimeout
	}
	if err := e.store.FinishBuild(ctx, claimed.ID, worker, result); err != nil {
		e.t.Fatal(err)
	}
}

// state returns a version's state and commit; empty when there is none.
func (e *env) state(name string) (catalog.State, string) {
	e.t.Helper()
	v, err := e.store.Version(e.t.Context(), e.image.ID, name)
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		e.t.Fatal(err)
	}
	return v.State, v.Commit
}

// screen is what the pusher sees. Each Write must be whole lines.
type screen struct {
	t *testing.T
	testkit.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	if len(p) == 0 || p[len(p)-1] != '\n' {
		s.t.Errorf("not whole lines: %q", p)
	}
	return s.Buffer.Write(p)
}

func (s *screen) lines() []string {
	return strings.Split(strings.TrimSuffix(s.String(), "\n"), "\n")
}

// push is alice's push of tags as "name=commit".
func (e *env) push(tags ...string) (catalog.Push, *screen) {
	seen := &screen{t: e.t}
	p := catalog.Push{Image: e.image, Identity: catalog.Identity{User: catalog.User{ID: e.image.OwnerID, Name: "alice"}}, Progress: seen, Gone: make(chan struct{})}
	for _, tag := range tags {
		name, commit, _ := strings.Cut(tag, "=")
		p.Updates = append(p.Updates, catalog.RefUpdate{Name: "refs/tags/" + name, New: commit, Commit: commit})
	}
	p.ManyTags = len(tags) > 1
	return p, seen
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
