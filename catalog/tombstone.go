package catalog

import (
	"context"
	"fmt"
	"time"
)

// Tombstone is what a built version leaves when it is deleted: its name is taken for ever, by the very same image alone.
type Tombstone struct {
	ImageID int64
	Version string
	Commit  string // hex; empty when it came as an image
	Digest  string // "sha256:…" of its manifest
	Reason  string // why retention removed it, a clause for people; empty: a user deleted it
	At      time.Time
}

// Tombstones keeps the names of versions that were deleted. They go with their image, and one goes when its version is built again.
type Tombstones interface {
	// Tombstone returns that of a version's name. Errors: NotFound.
	Tombstone(ctx context.Context, imageID int64, version string) (Tombstone, error)
	// ListTombstones returns those of an image by name.
	ListTombstones(ctx context.Context, imageID int64) ([]Tombstone, error)
	// LiftTombstone frees a version's name. Errors: NotFound.
	LiftTombstone(ctx context.Context, imageID int64, version string) error
}

// Sentence says what was there and when it went.
func (t Tombstone) Sentence() string {
	how := "deleted"
	if t.Reason != "" {
		how = "removed by retention"
	}
	return fmt.Sprintf("version %s was %s on %s as %s", t.Version, how, t.At.UTC().Format(time.DateOnly), t.Digest)
}

// Refuse says why something else can't have the name. Errors: Conflict.
func (t Tombstone) Refuse() error {
	return Errorf(Conflict, "%s, and its name never means another image; choose another version, or ask an administrator of the server to free the name with: fandoghd admin tombstone lift NAMESPACE/IMAGE %s",
		t.Sentence(), t.Version)
}

// CheckBuild refuses a build of another commit. Whether one of the same makes the same image is known when it ended. Errors: Conflict.
func (t Tombstone) CheckBuild(commit string) error {
	if t.Commit != "" && t.Commit == commit {
		return nil
	}
	return t.Refuse()
}

// CheckDigest refuses another image. Errors: Conflict.
func (t Tombstone) CheckDigest(digest string) error {
	if t.Digest == digest {
		return nil
	}
	return t.Refuse()
}
