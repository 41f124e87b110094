package catalog

import (
	"context"
	"time"
)

// Trigger is what asked for a build.
type Trigger string

// Each trigger.
const (
	TriggerPush     Trigger = "push"
	TriggerUpload   Trigger = "upload"
	TriggerGitHub   Trigger = "github"
	TriggerRegistry Trigger = "registry"
	TriggerRebuild  Trigger = "rebuild"
)

// Triggers are all there are.
var Triggers = []Trigger{TriggerPush, TriggerUpload, TriggerGitHub, TriggerRegistry, TriggerRebuild}

// Build is one try at making a version from one commit; a version has one or more, of
// which the newest decides its state and at most that one has not ended. It is queued
// as Pending, becomes Building when a worker takes its lease, goes back to Pending
// when that worker hands it back or is gone, and ends once, with an Outcome, after which nothing of it changes. What it is asked to do (Trigger, Tag, Commit, TagObject,
// Options) never changes. It outlives its user, whose UserID is 0 then.
type Build struct {
	ID        int64
	VersionID int64
	Number    int // 1, 2, … within the version
	Image     ImageRef
	ImageID   int64
	Source    ImageRef // whose git repository has Commit; Image itself for most
	SourceID  int64
	Version   string
	Tag       string // git tag, in Source
	Trigger   Trigger
	Commit    string // hex; what is built
	TagObject string // hex; the annotated tag, empty where there is none
	Signature TagSignature
	UserID    int64 // who asked
	Options   BuildOptions
	State     State
	Outcome   Outcome   // empty until State.Ended()
	Message   string    // why it ended otherwise than built, or was built of nothing new: a sentence safe to show
	Attempts  int       // how often a worker took it
	QueuedAt  time.Time // when it was asked for
	StartedAt time.Time // of the last attempt; zero while it waits
	EndedAt   time.Time // zero until State.Ended()
	// LogRemovedAt is when its log was removed, for its age; zero: it was not.
	LogRemovedAt time.Time
	Cancelled    bool // a user asked to stop it; a worker that claims it nevertheless ends it at once
}

// NewBuild asks for a build of a version, which is created when it is new.
type NewBuild struct {
	ImageID   int64
	SourceID  int64 // as the image has it; 0: ImageID
	Version   string
	Tag       string // git tag; "": Version
	Trigger   Trigger
	Commit    string
	TagObject string // as in Build
	// Signature is as in Build, zero where it is yet to be looked at.
	Signature TagSignature
	UserID    int64
	Options   BuildOptions
}

// QueuedBuild is what QueueBuilds made of a NewBuild.
type QueuedBuild struct {
	Build
	Attached bool // the version is being built from the same commit already; Build is that build
}

// MaxSteps bounds how many steps of one build are listed.
const MaxSteps = 5000

// Step is one BuildKit vertex of a build.
type Step struct {
	Digest    string
	Name      string
	Platform  string    // that it makes something for, where the build has several; "linux/arm64"
	StartedAt time.Time // zero: never started
	EndedAt   time.Time // zero: did not end
	Cached    bool
	Error     string
	Number    int      // as its log has it, "#4"; 0: not known
	Inputs    []string // digests of the steps that it needs, at most MaxStepInputs
}

// MaxStepInputs is how many of a step's inputs are stored.
const MaxStepInputs = 64

// BuildResult is how a build ended.
type BuildResult struct {
	Outcome Outcome
	Message string
	Digest  string // when built
	Size    int64  // bytes, when built
	Recipe  string // names what it was built from, when built; empty: not known
	EndedAt time.Time
	Steps   []Step
	Facts   *BuildFacts // to be attested, when built; nil: nothing is
}

// Builds stores builds and is the durable queue of those that wait.
// A worker owns a build by a lease in its name; one that lost the lease gets
// Conflict and must drop its work.
type Builds interface {
	// QueueBuilds makes versions PENDING with a queued build each, all or
	// none. A version being built from the same commit yields that build,
	// Attached. Errors: Invalid (version name), NotFound (image), Conflict (the
	// version is BUILT, or is being built from another commit or of another tag, or has a Tombstone of another commit), Forbidden (Image.SignedTags;
	// too many wait).
	QueueBuilds(ctx context.Context, builds []NewBuild) ([]QueuedBuild, error)
	// ClaimBuild leases the next build until the given time and makes it and
	// its version BUILDING: of the namespaces with waiting builds, the one with
	// fewest running, of those the one served longest ago, then the oldest build.
	// Namespaces with more than busiest running, or with as many as they may, are passed over. Errors: NotFound
	// (nothing waits, or nothing that may, or the queue is paused).
	ClaimBuild(ctx context.Context, workerID string, busiest int, now, until time.Time) (Build, error)
	// CheckSigned says whether a build may still be by Image.SignedTags, as things are now. Errors: NotFound, Forbidden.
	CheckSigned(ctx context.Context, buildID int64) error
	// ExtendLease prolongs a lease. Errors: Conflict (lost).
	ExtendLease(ctx context.Context, buildID int64, workerID string, until time.Time) error
	// ReleaseBuild hands a build back to the queue; it waits as PENDING and is
	// not claimed before notBefore. With refund the attempt does not count.
	// Errors: Conflict (lost).
	ReleaseBuild(ctx context.Context, buildID int64, workerID string, notBefore time.Time, refund bool) error
	// ReclaimBuilds hands back every build whose lease belongs to another worker
	// or ended before now, without refund, and returns how many. Pauses longer than LongestPause end.
	ReclaimBuilds(ctx context.Context, workerID string, now time.Time) (int, error)
	// NextWake returns when the next waiting build may be claimed; ok is false
	// when none waits, or the queue is paused. A zero time means at once.
	NextWake(ctx context.Context) (at time.Time, ok bool, err error)
	// QueuePlace says where a build stands among those that wait. Errors: NotFound (it does not wait).
	QueuePlace(ctx context.Context, buildID int64) (QueuePlace, error)
	// WaitingBuilds returns the builds that wait, the oldest first, at most so many.
	WaitingBuilds(ctx context.Context, limit int) ([]Build, error)
	// QueueState returns how many builds wait and run.
	QueueState(ctx context.Context) (QueueState, error)
	// ListQueue returns the builds that run, and then those that wait in the order in which they are to start, up to limit of them behind the
	// build after. 0, or a build that is not in the queue any more, which may change between two pages: from the first.
	ListQueue(ctx context.Context, after int64, limit int) ([]QueueEntry, error)
	// QueuePause returns the zero value unless the queue is paused.
	QueuePause(ctx context.Context) (QueuePause, error)
	// PauseQueue has no build start until ResumeQueue; builds are queued as before. Of a queue that is paused it replaces who and why. It
	// lasts until then, also over a restart. Errors: Invalid (reason).
	PauseQueue(ctx context.Context, by, reason string) (QueuePause, error)
	// ResumeQueue ends the pause and returns it; of a queue that is not paused, the zero value.
	ResumeQueue(ctx context.Context) (QueuePause, error)
	// FinishBuild ends a leased build and its version. Errors: Conflict (lost, or built otherwise than its Tombstone has it),
	// Invalid (built without a digest).
	FinishBuild(ctx context.Context, buildID int64, workerID string, r BuildResult) error
	// CancelBuild marks a build as cancelled; one that waits ends at once as
	// FAILED. The returned build tells which. Errors: NotFound, Conflict (ended already).
	CancelBuild(ctx context.Context, buildID int64, now time.Time) (Build, error)
	// AskToCancel marks a build as cancelled, for the process that has the queue to end: CancelledBuilds tells it. Errors: NotFound,
	// Conflict (ended already).
	AskToCancel(ctx context.Context, buildID int64) error
	// CancelledBuilds returns the builds that wait or run and are marked as cancelled.
	CancelledBuilds(ctx context.Context) ([]int64, error)
	// Build returns one build. Errors: NotFound.
	Build(ctx context.Context, buildID int64) (Build, error)
	// BuildByNumber returns the build of a version that has a number. Errors: NotFound.
	BuildByNumber(ctx context.Context, versionID int64, number int) (Build, error)
	// ListBuilds returns a version's builds, newest first.
	ListBuilds(ctx context.Context, versionID int64, page Page) ([]Build, error)
	// Steps returns a build's steps in the order they started, up to MaxSteps of them.
	Steps(ctx context.Context, buildID int64) ([]Step, error)
}

// Again asks for the same once more, 0 being no user, but for what options change (BuildOptions.ChangedBy). What is known of the tag's
// signature is yet to be looked at. Errors: Invalid.
func (b Build) Again(userID int64, options []string) (NewBuild, error) {
	changed, err := b.Options.ChangedBy(options)
	return NewBuild{
		ImageID: b.ImageID, SourceID: b.SourceID, Version: b.Version, Tag: b.Tag, Trigger: TriggerRebuild,
		Commit: b.Commit, TagObject: b.TagObject, UserID: userID, Options: changed,
	}, err
}

// CheckLog refuses the log of a build that was removed. Errors: NotFound.
func (b Build) CheckLog() error {
	if b.LogRemovedAt.IsZero() {
		return nil
	}
	return Errorf(NotFound, "the log of build %d of %s:%s was removed on %s, for its age", b.Number, b.Image, b.Version, b.LogRemovedAt.UTC().Format(time.DateOnly))
}

// BuildLister lists the builds of a version, as Builds does.
type BuildLister interface {
	ListBuilds(ctx context.Context, versionID int64, page Page) ([]Build, error)
}

// NewestBuild returns a version's newest build. Errors: NotFound.
func NewestBuild(ctx context.Context, builds BuildLister, v Version) (Build, error) {
	newest, err := builds.ListBuilds(ctx, v.ID, Page{Limit: 1})
	if err == nil && len(newest) == 0 {
		err = Errorf(NotFound, "version %q has no builds", v.Name)
	}
	if err != nil {
		return Build{}, err
	}
	return newest[0], nil
}

// BuildControl acts on builds for a user whom the caller has authorized.
// The builder implements it.
type BuildControl interface {
	// Cancel stops a build, running or waiting. Errors: NotFound, Conflict (ended).
	Cancel(ctx context.Context, buildID int64) error
	// Queued says where a build stands among those that wait, and why. Errors: NotFound (it does not wait).
	Queued(ctx context.Context, buildID int64) (QueuePlace, error)
	// Rebuild queues another build of a version whose last one failed, from
	// the same commit with the same options, but for what these change (BuildOptions.ChangedBy). Errors: NotFound, Conflict, Invalid,
	// Unavailable (ErrNearlyFull).
	Rebuild(ctx context.Context, imageID int64, version string, userID int64, options []string) (Build, error)
	// Wake has the queue looked at again, after something else than this allowed builds to start.
	Wake()
}

// LogLine is one line of a build's log.
type LogLine struct {
	Offset time.Duration // since the build's log began
	Text   string        // without line end
}

// BuildLogs reads what builds printed. The builder implements it.
type BuildLogs interface {
	// ReadLog returns up to limit lines after the first skip lines (limit 0: all
	// there are now). A build without a log yet has no lines. Errors: NotFound (Build.LogRemovedAt).
	ReadLog(ctx context.Context, buildID int64, skip, limit int) ([]LogLine, error)
	// FollowLog hands every line after the first skip lines to emit as it
	// appears, and returns the ended build when all of them were handed over.
	// It stops early when ctx ends, emit fails or, with Unavailable, the
	// daemon shuts down. Errors: NotFound (Build.LogRemovedAt).
	FollowLog(ctx context.Context, buildID int64, skip int, emit func([]LogLine) error) (Build, error)
}

// Store is everything the catalog keeps.
type Store interface {
	Users
	Namespaces
	NamespaceSettings
	Images
	Versions
	Removals
	Transfers
	Tombstones
	RetentionRules
	Builds
	Events
	Jobs
	Connections
	Webhooks
	LFS
	Secrets
	Provenance
	AuditLines
	Usage
	AuditLog
	Search
	// Ping reports whether the store answers. Errors: Unavailable.
	Ping(ctx context.Context) error
	Close() error
}
