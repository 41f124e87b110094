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

// HoldsTag reports whether a version keeps its git tag: it is built or may be.
func (s State) HoldsTag() bool { return s == Built || !s.Ended() }

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

// Each outcome.
const (
	OutcomeBuilt          Outcome = "built"
	OutcomeUserError      Outcome = "user_error"
	OutcomeTimeout        Outcome = "timeout"
	OutcomeOutOfMemory    Outcome = "out_of_memory"
	OutcomeProcessLimit   Outcome = "process_limit" // a step failed that had been refused processes
	OutcomeDiskLimit      Outcome = "disk_limit"    // its steps wrote more than they may
	OutcomeCancelled      Outcome = "cancelled"
	OutcomeInfrastructure Outcome = "infrastructure"
)

// Outcomes are all there are.
var Outcomes = []Outcome{
	OutcomeBuilt, OutcomeUserError, OutcomeTimeout, OutcomeOutOfMemory, OutcomeProcessLimit, OutcomeDiskLimit, OutcomeCancelled, OutcomeInfrastructure,
}

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
// It is told by its ID: its name may come again after a deletion.
type Version struct {
	ID        int64
	ImageID   int64
	Name      string // OCI tag
	Tag       string // git tag, of which EntriesOfTag made Name; equal to it for most
	State     State
	Trigger   Trigger // of the newest build
	Commit    string  // hex, of the newest build
	Digest    string  // "sha256:…" of the manifest, empty until BUILT
	Size      int64   // bytes: manifest, config and compressed layers; 0 until BUILT
	CreatedAt time.Time
}

// CheckRebuilt says why a version can't be built again, to compare. Errors: Conflict.
func (v Version) CheckRebuilt() error {
	switch {
	case v.State != Built:
		return Errorf(Conflict, "version %q is not built", v.Name)
	case v.Commit == "":
		return Errorf(Conflict, "version %q was pushed as an image, so it can't be built again", v.Name)
	}
	return nil
}

// TagTaken refuses a tag whose version is that of another tag: there can be one of "v1+5" and "v1_5". Errors: Conflict.
func TagTaken(tag string, v Version) error {
	return Errorf(Conflict, "tag %s would be version %s, which there is already of tag %s; push a tag with another name", tag, v.Name, v.Tag)
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
	// VersionByRecipe returns the newest built version of an image of which BuildResult.Recipe was the same, not empty. Errors: NotFound.
	VersionByRecipe(ctx context.Context, imageID int64, recipe string) (Version, error)
	// ListVersions returns an image's versions, newest first. Errors: Invalid (state).
	ListVersions(ctx context.Context, imageID int64, f VersionFilter) ([]Version, error)
	// TagVersions returns the versions of a git tag in the repository of an image, by image: several where its commit is
	// built as several images.
	TagVersions(ctx context.Context, sourceID int64, tag string) ([]Version, error)
	// SourceObjects returns the commits and annotated tags, in hex, that versions of the repository of an image and their builds are of.
	SourceObjects(ctx context.Context, sourceID int64) ([]string, error)
	// UnbuiltTags returns the tags in the repository of an image that have a version which is not built, with the commit of each:
	// those being built, and those that stand because another version of theirs was built.
	UnbuiltTags(ctx context.Context, sourceID int64) (map[string]string, error)
	// RecordVersion makes a version BUILT at once, by a build that begins and ends
	// at r.At. A version that is BUILT with that very digest stays as it is.
	// Errors: Invalid (name, no digest), NotFound (image), Conflict (the version is
	// BUILT otherwise, is being built, or has a Tombstone of another digest), Forbidden (Image.SignedTags).
	RecordVersion(ctx context.Context, r ReadyVersion) (Version, error)
	// DeleteVersion removes a version with its builds and steps, and leaves a Removal and, of a built one, a Tombstone.
	// The reason is Tombstone's, and the event's message. Errors: NotFound, Conflict (its build waits or runs).
	DeleteVersion(ctx context.Context, versionID int64, reason string) error
}

// CheckRebuild refuses another build where there is none to be had. Errors: Conflict.
func (v Version) CheckRebuild() error {
	switch {
	case v.State == Built:
		return Errorf(Conflict, "version %s is already built and never changes; push a new tag for a new version", v.Name)
	case !v.State.Ended():
		return Errorf(Conflict, "version %s is already being built; follow its log, or cancel that build first", v.Name)
	}
	return nil
}
