package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/hooks/jobs"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

const kind catalog.JobKind = "test"

func newWorker(store catalog.Jobs, do func(context.Context, catalog.Job) (string, error), change ...func(*jobs.Config)) *jobs.Worker {
	c := jobs.Config{
		Store: store, WorkerID: fmt.Sprintf("test-%d", time.Now().UnixNano()), Timeout: 10 * time.Second,
		Kinds: map[catalog.JobKind]jobs.Kind{kind: {Do: do, Pauses: []time.Duration{time.Millisecond, time.Millisecond}}},
	}
	for _, f := range change {
		f(&c)
	}
	return jobs.New(c)
}

// start runs until the test ends or stop is called.
func start(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("Run did not return")
		}
	})
	t.Cleanup(stop)
	return stop
}

func put(t *testing.T, w *jobs.Worker, keys ...string) []catalog.PutJob {
	t.Helper()
	var waiting []catalog.NewJob
	for _, key := range keys {
		waiting = append(waiting, catalog.NewJob{Kind: kind, Key: key, Subject: 1})
	}
	made, err := w.Put(t.Context(), waiting...)
	if err != nil || len(made) != len(keys) {
		t.Fatalf("%+v, %v", made, err)
	}
	return made
}

func await(t *testing.T, store catalog.Jobs, key string, state catalog.JobState) catalog.Job {
	t.Helper()
	var found catalog.Job
	testkit.Eventually(t, key+" is "+string(state), func() bool {
		list, err := store.ListJobs(t.Context(), kind, 1, catalog.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range list {
			if j.Key == key {
				found = j
			}
		}
		return found.State == state
	})
	return found
}

// A namespace whose jobs take for ever leaves places to the others.
func TestOneNamespaceLeavesPlaces(t *testing.T) {
	store := sqlitetest.Open(t, t.TempDir())
	stuck := make(chan string, 10)
	w := newWorker(store, func(ctx context.Context, job catalog.Job) (string, error) {
		if job.Key == "other" {
			return "done", nil
		}
		stuck <- job.Key
		<-ctx.Done()
		return "", ctx.Err()
	}, func(c *jobs.Config) { c.Parallel, c.Timeout = 4, time.Hour })
	var waiting []catalog.NewJob
	for n := range 6 {
		waiting = append(waiting, catalog.NewJob{Kind: kind, Key: fmt.Sprint(n), Subject: 1, NamespaceID: 1})
	}
	if _, err := w.Put(t.Context(), waiting...); err != nil {
		t.Fatal(err)
	}
	start(t, w.Run)
	for range 2 {
		<-stuck
	}
	if _, err := w.Put(t.Context(), catalog.NewJob{Kind: kind, Key: "other", Subject: 1, NamespaceID: 2}); err != nil {
		t.Fatal(err)
	}
	await(t, store, "other", catalog.JobDone)
	if len(stuck) > 0 {
		t.Errorf("%d more of the first namespace's began meanwhile", len(stuck))
	}
}

func TestOutcomes(t *testing.T) {
	store := sqlitetest.Open(t, t.TempDir())
	w := newWorker(store, func(_ context.Context, j catalog.Job) (string, error) {
		switch {
		case j.Key == "good", j.Key == "second" && j.Attempts == 2:
			return "fine", nil
		case j.Key == "hopeless":
			return "", catalog.Errorf(catalog.Invalid, "can't be")
		}
		return "", errors.New("a cause that is not for users")
	})
	start(t, w.Run)
	put(t, w, "good", "second", "hopeless", "never")
	for key, want := range map[string]struct {
		state    catalog.JobState
		attempts int
		answer   string
	}{
		"good": {catalog.JobDone, 1, "fine"}, "second": {catalog.JobDone, 2, "fine"}, "hopeless": {catalog.JobFailed, 1, "can't be"},
		"never": {catalog.JobFailed, 3, "internal error; the server's log has the details"},
	} {
		if j := await(t, store, key, want.state); j.Attempts != want.attempts || j.Answer != want.answer {
			t.Errorf("%s: %+v", key, j)
		}
	}
	if again := put(t, w, "good", "never"); !again[0].Known || again[1].Known {
		t.Errorf("put again: %+v", again)
	}
}

// A stop in the middle of a job hands it to the next process, uncounted.
func TestStop(t *testing.T) {
	store := sqlitetest.Open(t, t.TempDir())
	began := make(chan struct{})
	w := newWorker(store, func(ctx context.Context, _ catalog.Job) (string, error) {
		close(began)
		<-ctx.Done()
		return "", ctx.Err()
	})
	stop := start(t, w.Run)
	put(t, w, "job")
	<-began
	stop()
	if j := await(t, store, "job", catalog.JobWaiting); j.Attempts != 0 {
		t.Errorf("%+v", j)
	}
	next := newWorker(store, func(context.Context, catalog.Job) (string, error) { return "done by the next", nil })
	start(t, next.Run)
	await(t, store, "job", catalog.JobDone)
}

// forgetful loses the first end of a job, as a store that has trouble does.
type forgetful struct {
	catalog.Jobs
	lost atomic.Bool
}

func (f *forgetful) EndJob(ctx context.Context, id int64, workerID string, state catalog.JobState, answer string, now time.Time) error {
	if f.lost.CompareAndSwap(false, true) {
		return errors.New("the disk is full")
	}
	return f.Jobs.EndJob(ctx, id, workerID, state, answer, now)
}

// A job whose end was not recorded is done again, however busy the queue is.
func TestLostJobOnABusyQueue(t *testing.T) {
	store := sqlitetest.Open(t, t.TempDir())
	var past atomic.Int64
	var done atomic.Int32
	do := func(_ context.Context, j catalog.Job) (string, error) {
		if j.Key == "lost" {
			done.Add(1)
		}
		return "", nil
	}
	w := newWorker(&forgetful{Jobs: store}, do, func(c *jobs.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(past.Load())) }
	})
	start(t, w.Run)
	put(t, w, "lost")
	testkit.Eventually(t, "the job is done", func() bool { return done.Load() == 1 })
	past.Store(int64(time.Hour)) // its lease has ended
	n := 0
	testkit.Eventually(t, "the job is done again", func() bool {
		n++
		put(t, w, fmt.Sprint("other ", n))
		return done.Load() == 2
	})
}

func TestTimeoutAndParallel(t *testing.T) {
	store := sqlitetest.Open(t, t.TempDir())
	var running, most atomic.Int64
	w := newWorker(store, func(ctx context.Context, j catalog.Job) (string, error) {
		now := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		<-ctx.Done()
		return "", catalog.Errorf(catalog.Invalid, "too slow")
	}, func(c *jobs.Config) { c.Timeout, c.Parallel = 30*time.Millisecond, 4 })
	start(t, w.Run)
	put(t, w, "a", "b", "c", "d", "e")
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		await(t, store, key, catalog.JobFailed)
	}
	if most.Load() != 2 { // half, for they are of one namespace
		t.Errorf("%d ran at once", most.Load())
	}
}

// countingStore counts transactions.
type countingStore struct {
	*sqlite.Store
	puts atomic.Int64
	fail atomic.Bool
	hold chan struct{}
	held atomic.Int64 // jobs of the first call, which waits for hold
}

func (s *countingStore) PutJobs(ctx context.Context, waiting []catalog.NewJob, now time.Time) ([]catalog.PutJob, error) {
	if s.puts.Add(1) == 1 {
		s.held.Store(int64(len(waiting)))
		<-s.hold
	}
	if s.fail.Load() {
		return nil, errors.New("disk")
	}
	return s.Store.PutJobs(ctx, waiting, now)
}

func TestPutsShareTransactions(t *testing.T) {
	store := &countingStore{Store: sqlitetest.Open(t, t.TempDir()), hold: make(chan struct{})}
	w := newWorker(store, nil)
	var callers sync.WaitGroup
	for i := range 100 {
		callers.Go(func() {
			key := fmt.Sprint(i % 50) // each twice
			made, err := w.Put(context.Background(), catalog.NewJob{Kind: kind, Key: key, Subject: 1}, catalog.NewJob{Kind: kind, Key: key + "b", Subject: 1})
			if err != nil || len(made) != 2 || made[0].Key != key || made[1].Key != key+"b" {
				t.Errorf("%+v, %v", made, err)
			}
		})
	}
	testkit.Eventually(t, "all calls wait", func() bool { return store.held.Load() > 0 && int(store.held.Load())/2+w.Pending() == 100 })
	close(store.hold)
	callers.Wait()
	if n := store.puts.Load(); n > 2 {
		t.Errorf("%d transactions for 100 calls", n)
	}
	if list, err := store.ListJobs(t.Context(), kind, 1, catalog.Page{}); err != nil || len(list) != 100 {
		t.Errorf("%d jobs, %v", len(list), err)
	}
	store.fail.Store(true)
	if _, err := w.Put(t.Context(), catalog.NewJob{Kind: kind, Key: "x"}); err == nil {
		t.Error("a failure was not told")
	}
}

func TestFollower(t *testing.T) {
	store := sqlitetest.Open(t, t.TempDir())
	user, err := store.CreateUser(t.Context(), catalog.NewUser{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	image, err := store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "app"}, OwnerID: user.ID})
	if err != nil {
		t.Fatal(err)
	}
	queue := func(version string) {
		t.Helper()
		if _, err := store.QueueBuilds(t.Context(), []catalog.NewBuild{{ImageID: image.ID, Version: version, Trigger: catalog.TriggerPush, Commit: "c"}}); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var seen []string
	follower := jobs.Follower{Store: store, Name: "test", Logger: hclog.NewNullLogger(), Handle: func(_ context.Context, e catalog.Event) error {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, string(e.Kind)+" "+e.Version)
		return nil
	}}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(seen) }
	queue("v1") // before the follower runs
	stop := start(t, follower.Run)
	testkit.Eventually(t, "the first events", func() bool { return count() == 4 })
	queue("v2")
	testkit.Eventually(t, "events as they come", func() bool { return count() == 6 })
	testkit.Eventually(t, "the cursor", func() bool { at, err := store.Cursor(t.Context(), "test"); return err == nil && at == 6 })
	stop()
	queue("v3") // while no follower runs
	start(t, follower.Run)
	testkit.Eventually(t, "what was missed", func() bool { return count() == 8 })
	want := "[member.changed  image.created  version.created v1 build.queued v1 version.created v2 build.queued v2 version.created v3 build.queued v3]"
	if got := fmt.Sprint(seen); got != want {
		t.Errorf("got %s", got)
	}
}
