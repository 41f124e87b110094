package catalog

import (
	"context"
	"time"
)

// LongestPause is longer than a build or a job is left alone after it failed. A pause that ends later was begun while the
// clock was ahead.
const LongestPause = 24 * time.Hour

// JobKind names who works a job off.
type JobKind string

// JobState is where a job stands.
type JobState string

// Job states.
const (
	JobWaiting JobState = "waiting" // also while it is tried again
	JobRunning JobState = "running"
	JobDone    JobState = "done"
	JobFailed  JobState = "failed" // given up
)

// Job is something small that must be done although the daemon may stop: work
// off a delivery, notify a server. Builds have a queue of their own.
type Job struct {
	ID        int64
	Kind      JobKind
	Key       string // unique in its kind
	Subject   int64  // the row it is about: a connection, a webhook
	Payload   []byte
	State     JobState
	Attempts  int
	NotBefore time.Time // of the next attempt
	CreatedAt time.Time
	EndedAt   time.Time // zero until done or failed
	Answer    string    // what came of the last attempt, a sentence safe to show
}

// NewJob is what PutJobs stores.
type NewJob struct {
	Kind    JobKind
	Key     string
	Subject int64
	// NamespaceID is whose job it is.
	NamespaceID int64
	Payload     []byte
	NotBefore   time.Time
}

// PutJob is what PutJobs made of a NewJob.
type PutJob struct {
	Job
	Known bool // a job of this kind and key is there and did not fail; nothing was stored
}

// Jobs is a durable queue. A worker owns a job by a lease in its name; one that
// lost the lease gets Conflict and must drop its work.
type Jobs interface {
	// PutJobs stores jobs, all or none. One that failed before waits again,
	// with the new payload.
	PutJobs(ctx context.Context, jobs []NewJob, now time.Time) ([]PutJob, error)
	// ClaimJob leases the next job of the given kinds: of the namespaces with
	// waiting jobs, the one with fewest of that kind running, and of its jobs the one
	// that waits longest. Namespaces with more than busiest of a kind running are passed
	// over. Errors: NotFound (nothing waits, or nothing that may).
	ClaimJob(ctx context.Context, kinds []JobKind, workerID string, busiest int, now, until time.Time) (Job, error)
	// EndJob records a leased job as done or failed. Errors: Conflict (lost).
	EndJob(ctx context.Context, id int64, workerID string, state JobState, answer string, now time.Time) error
	// RetryJob makes a leased job wait again. With refund the attempt does not
	// count. Errors: Conflict (lost).
	RetryJob(ctx context.Context, id int64, workerID string, notBefore time.Time, answer string, refund bool) error
	// ReclaimJobs makes the jobs of the kinds wait again whose lease belongs to
	// another worker or ended before now, and ends pauses longer than LongestPause.
	ReclaimJobs(ctx context.Context, kinds []JobKind, workerID string, now time.Time) error
	// NextJob returns when the next job of the kinds may be claimed; ok is false when none
	// waits.
	NextJob(ctx context.Context, kinds []JobKind) (at time.Time, ok bool, err error)
	// ListJobs returns a subject's jobs of a kind, newest first.
	ListJobs(ctx context.Context, kind JobKind, subject int64, page Page) ([]Job, error)
	// RepeatJob makes a subject's job wait again that has ended, whatever came of it, with as many attempts as a new one.
	// Errors: NotFound, Conflict (it waits or runs).
	RepeatJob(ctx context.Context, kind JobKind, subject, id int64, now time.Time) error
	// PruneJobs forgets jobs that ended before a time.
	PruneJobs(ctx context.Context, before time.Time) error
}
