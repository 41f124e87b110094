package catalog

import (
	"context"
	"io"
)

// Uploader makes versions of archives. The hooks implement it for the interfaces.
type Uploader interface {
	// MaxBytes is the largest archive that is taken, in bytes.
	MaxBytes() int64
	// CheckVersion tells before an archive is read whether a version may come of it.
	// Errors: Invalid (name), Conflict (the version is BUILT).
	CheckVersion(ctx context.Context, image Image, version string) error
	// Receive reads a zip, tar, tar.gz or tar.zst archive, told by its bytes, to
	// its end. The caller closes the Upload; nothing is left of one that was not
	// submitted. Errors: Invalid and TooLarge, naming the archive's entry at
	// fault; Invalid when source fails; those of source that have a code; those of Admission.
	Receive(ctx context.Context, image Image, source io.Reader) (Upload, error)
}

// Upload is an archive that was read and checked.
type Upload interface {
	// Submit makes the archive a version's tag and queues its build. Errors:
	// Invalid (name), NotFound (image), Conflict (the version is BUILT, or is
	// being built from other files).
	Submit(ctx context.Context, n NewUpload) (QueuedBuild, error)
	// Note says in a sentence what is not kept of the archive, "" for nothing.
	Note() string
	// Close drops what was not submitted.
	Close() error
}

// NewUpload says what an Upload becomes.
type NewUpload struct {
	Version  string
	Identity Identity
	Options  BuildOptions
}
