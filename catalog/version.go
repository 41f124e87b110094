package catalog

import (
	"context"
	"strings"
	"time"
)

// State is where a version, or one build of it, stands.
type State string

// States, as the REST contract names them.
const (
	Pending     State = "PENDING"
	Building    State = "BUILDING"
	Built       State = "BUILT"
	BuildFailed State = "BUILD_FAILED" // the user's Dockerfile or sources
	Failed      State = "FAILED"       // ours: infrastructure, timeout, cancelled
)

// transitions is the state table: what may follow what.
var transitions = map[State][]State{
	Pending:     {Building, Failed},
	Building:    {Built, BuildFailed, Failed, Pending},
	Built:       {},
	BuildFailed: {Pending},
	Failed:      {Pending},
}

// States lists every state.
func States() []State { return []State{Pending, Building, Built, BuildFailed, Failed} }

// CanBecome reports whether the state table allows the step from s to next.
func (s State) CanBecome(next State) bool {
	for _, allowed := range transitions[s] {
		if allowed == next {
			return true
		}
	}
	return false
}

// Ended reports whether nothing happens any more unless a user asks again.
func (s State) Ended() bool { return s == Built || s == BuildFailed || s == Failed }

// Valid reports whether s is one of the known states.
func (s State) Valid() bool { _, ok := transitions[s]; return ok }

// Check returns an error for the field state unless s is one of the known states.
func (s State) Check() error {
	if s.Valid() {
		return nil
	}
	var names []string
	for _, state := range States() {
		names = append(names, string(state))
	}
	return FieldErrorf("state", "%q is not a valid state; the states are: %s", s, strings.Join(names, ", "))
}

// Outcome says why a build ended.
type Outcome string

// Outcomes.
const (
	OutcomeBuilt          Outcome = "built"
	OutcomeUserError      Outcome = "user_error"
	OutcomeTimeout        Outcome = "timeout"
	OutcomeOutOfMemory    Outcome = "out_of_memory"
	OutcomeCancelled      Outcome = "cancelled"
	OutcomeInfrastructure Outcome = "infrastructure"
)

// State returns the state in which an outcome leaves a version.
func (o Outcome) State() State {
	switch o {
	case OutcomeBuilt:
		return Built
	case OutcomeUserError:
		return BuildFailed
	}
	return Failed
}

// Version is a name of an image that never changes once built: one git tag, one tag
// in the registry, one digest. It begins Pending, by the first build that is asked
// of it, or Built, when a whole image was pushed (RecordVersion). Its state is that
// of its newest build and changes in the same transaction; from BuildFailed and
// Failed a further build takes it back to Pending, from Built nothing does, and only
// a deletion ends it. Digest and Size are set in the transaction that makes it Built.
// It is told by its ID: after a deletion its name may be another's.
type Version struct {
	ID        int64
	ImageID   int64
	Name      string // git tag and OCI tag
	State     State
	Trigger   Trigger // of the newest build
	Commit    string  // hex, of the newest build
	Digest    string  // "sha256:…" of the manifest, empty until BUILT
	Size      int64   // bytes: manifest, config and compressed layers; 0 until BUILT
	CreatedAt time.Time
}

// VersionFilter narrows ListVersions. No states: all of them.
type VersionFilter struct {
	States []State
	Page   Page
}

// ReadyVersion is a version that came as an image, without a build of ours.
type ReadyVersion struct {
	ImageID int64
	Version string
	Trigger Trigger
	UserID  int64
	Digest  string
	Size    int64
	At      time.Time
}

// Versions stores versions.
type Versions interface {
	// Version returns one version by name. Errors: NotFound.
	Version(ctx context.Context, imageID int64, name string) (Version, error)
	// ListVersions returns an image's versions, newest first. Errors: Invalid (state).
	ListVersions(ctx context.Context, imageID int64, f VersionFilter) ([]Version, error)
	// RecordVersion makes a version BUILT at once, by a build that begins and ends
	// at r.At. A version that is BUILT with that very digest stays as it is.
	// Errors: Invalid (name, no digest), NotFound (image), Conflict (the version is
	// BUILT otherwise, or is being built).
	RecordVersion(ctx context.Context, r ReadyVersion) (Version, error)
	// DeleteVersion removes a version with its builds and steps, and leaves a Removal.
	// Errors: NotFound, Conflict (its build waits or runs).
	DeleteVersion(ctx context.Context, versionID int64) error
}
