// Package jobs works off the catalog's small durable jobs, such as a delivery to make
// or to act on: each is tried, tried again with growing pauses, and given up in the
// end. A Follower makes jobs of what happened: it hands every event to a consumer.
//
// A job is put into the store, and from then on a stop or a crash loses nothing of it. A Worker
// claims it by a lease in its own name, makes one attempt, and records how it went:
// done, given up, or due again after a pause. Run first takes back what an earlier
// process had claimed, and hands back what it can't finish when its context ends.
// Jobs that ended, and events, can be looked at for a week; Prune forgets them then.
//
// What always holds: a job is done at least once, and twice when a process died in the
// middle or its end could not be recorded, so its work must bear that; so must a
// Follower's consumer, whose place moves on only after the event was handled. Events come in order,
// jobs in none. One namespace has half of a worker's places for a kind at most, so that the
// others' jobs are done while its own take for ever.
package jobs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Kind is how jobs of one kind are done.
type Kind struct {
	// Do makes one attempt. The answer is kept with the job, a sentence safe
	// to show. An error is tried again unless its code says that the next
	// attempt can't end otherwise (Invalid, Forbidden, Conflict, TooLarge).
	Do func(ctx context.Context, job catalog.Job) (answer string, err error)
	// Pauses lie before the second attempt, the third and so on; after the
	// last one the job is given up.
	Pauses []time.Duration
}

// Config is what a Worker is made of; Store, Kinds and WorkerID are required.
type Config struct {
	Store    catalog.Jobs
	Kinds    map[catalog.JobKind]Kind
	WorkerID string        // names this worker in leases; unique to each start
	Parallel int           // jobs at once; 0: 4
	Timeout  time.Duration // of one attempt; 0: 10 minutes
	Logger   hclog.Logger
	Now      func() time.Time
}

// grace is how long a lease outlives its attempt's timeout.
const grace = time.Minute

// Worker runs jobs.
type Worker struct {
	config Config
	kinds  []catalog.JobKind
	wake   chan struct{} // holds one token: look at the queue again

	mu      sync.Mutex
	pending []*entry // wait for the transaction that stores them
	storing bool
}

// New returns a Worker; Run makes it work.
func New(c Config) *Worker {
	if c.Parallel <= 0 {
		c.Parallel = 4
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Minute
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	w := &Worker{config: c, wake: make(chan struct{}, 1)}
	for kind := range c.Kinds {
		w.kinds = append(w.kinds, kind)
	}
	slices.Sort(w.kinds)
	return w
}

// Run works until ctx ends; then jobs that were not done wait in the store, and
// it returns nil. It first takes back what an earlier process left. Call it once.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.config.Store.ReclaimJobs(ctx, w.kinds, w.config.WorkerID, w.config.Now()); err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, w.config.Parallel)
	for reclaimed := w.config.Now(); ctx.Err() == nil; {
		if now := w.config.Now(); now.Sub(reclaimed) >= maxWait {
			// A lease that ended without a record, because the store had trouble.
			if err := w.config.Store.ReclaimJobs(ctx, w.kinds, w.config.WorkerID, now); err != nil && ctx.Err() == nil {
				w.config.Logger.Error("failed to look for jobs without a worker", "error", err)
			}
			reclaimed = now
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		job, err := w.config.Store.ClaimJob(ctx, w.kinds, w.config.WorkerID, w.busiest(), w.config.Now(), w.config.Now().Add(w.config.Timeout+grace))
		if err == nil {
			running.Go(func() {
				defer func() { <-slots }()
				w.attempt(ctx, job)
			})
			continue
		}
		<-slots
		if catalog.CodeOf(err) != catalog.NotFound && ctx.Err() == nil {
			w.config.Logger.Error("failed to look for jobs", "error", err)
		}
		w.wait(ctx, catalog.CodeOf(err) == catalog.NotFound)
	}
	return nil
}

// busiest is how many jobs of a kind a namespace has running at most when one more of
// it begins: half of all at once, so that one namespace leaves places to the others.
func (w *Worker) busiest() int { return max(w.config.Parallel/2, 1) - 1 }

// maxWait is how long nothing is looked at while nothing is signalled.
const maxWait = time.Minute

// wait returns when there may be something to do.
func (w *Worker) wait(ctx context.Context, healthy bool) {
	delay := time.Second
	if healthy {
		delay = maxWait
		if at, ok, err := w.config.Store.NextJob(ctx, w.kinds); err == nil && ok {
			// What is due but was not given has to wait for the end of another, which is told.
			if delay = min(delay, at.Sub(w.config.Now())); delay <= 0 {
				delay = time.Second
			}
		}
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-w.wake:
	case <-ctx.Done():
	case <-timer.C:
	}
}

// final tells which errors the next attempt can't change.
var final = []catalog.Code{catalog.Invalid, catalog.Forbidden, catalog.Conflict, catalog.TooLarge}

// attempt does a job once and records how it went.
func (w *Worker) attempt(ctx context.Context, job catalog.Job) {
	kind := w.config.Kinds[job.Kind]
	attempt, cancel := context.WithTimeout(ctx, w.config.Timeout)
	answer, err := kind.Do(attempt, job)
	cancel()
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	switch {
	case err == nil:
		err = w.config.Store.EndJob(store, job.ID, w.config.WorkerID, catalog.JobDone, answer, w.config.Now())
	case ctx.Err() != nil: // shutting down; it was not the job's fault
		err = w.config.Store.RetryJob(store, job.ID, w.config.WorkerID, w.config.Now(), job.Answer, true)
	default:
		err = w.failed(store, job, kind, err)
	}
	if err != nil {
		// The lease ends by itself; then the job is done again.
		w.config.Logger.Error("failed to record the result of a job", "kind", job.Kind, "job", job.ID, "error", err)
	}
	w.look() // it may be the next to do
}

// look has Run look at the queue again.
func (w *Worker) look() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Worker) failed(ctx context.Context, job catalog.Job, kind Kind, err error) error {
	message := catalog.MessageOf(err)
	logger := w.config.Logger.With("kind", job.Kind, "job", job.Key, "attempt", job.Attempts, "error", err)
	if job.Attempts > len(kind.Pauses) || slices.Contains(final, catalog.CodeOf(err)) {
		logger.Warn("a job failed for good")
		return w.config.Store.EndJob(ctx, job.ID, w.config.WorkerID, catalog.JobFailed, message, w.config.Now())
	}
	pause := kind.Pauses[job.Attempts-1]
	logger.Info("a job failed and will be retried", "in", pause)
	return w.config.Store.RetryJob(ctx, job.ID, w.config.WorkerID, w.config.Now().Add(pause), message, false)
}

// entry is one call of Put on its way into the store.
type entry struct {
	jobs []catalog.NewJob
	put  []catalog.PutJob
	err  error
	done chan struct{}
}

// Put stores jobs, all or none, and has them done. Calls that come at the same
// time share a transaction, so that a burst does not wait for one sync of the
// disk each. When ctx ends first, they may be stored or not.
func (w *Worker) Put(ctx context.Context, jobs ...catalog.NewJob) ([]catalog.PutJob, error) {
	e := &entry{jobs: jobs, done: make(chan struct{})}
	w.mu.Lock()
	w.pending = append(w.pending, e)
	first := !w.storing
	w.storing = true
	w.mu.Unlock()
	if first {
		go w.store(context.WithoutCancel(ctx))
	}
	select {
	case <-e.done:
		return e.put, e.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Repeat has a subject's job done once more that has ended. Errors: NotFound, Conflict (it waits or runs).
func (w *Worker) Repeat(ctx context.Context, kind catalog.JobKind, subject, id int64) error {
	err := w.config.Store.RepeatJob(ctx, kind, subject, id, w.config.Now())
	if err == nil {
		w.look()
	}
	return err
}

// store stores what is pending until nothing is.
func (w *Worker) store(ctx context.Context) {
	for {
		w.mu.Lock()
		batch := w.pending
		w.pending = nil
		w.storing = len(batch) > 0
		w.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		w.storeBatch(ctx, batch)
		w.look()
	}
}

func (w *Worker) storeBatch(ctx context.Context, batch []*entry) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var all []catalog.NewJob
	for _, e := range batch {
		all = append(all, e.jobs...)
	}
	put, err := w.config.Store.PutJobs(ctx, all, w.config.Now())
	if err == nil && len(put) != len(all) {
		err = errors.New("the store returned a wrong number of jobs")
	}
	for _, e := range batch {
		if e.err = err; err == nil {
			e.put, put = put[:len(e.jobs):len(e.jobs)], put[len(e.jobs):]
		}
		close(e.done)
	}
}
