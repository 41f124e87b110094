package catalog

import (
	"context"
	"time"
)

// MirroredImage is an image of another registry that is kept for builds.
type MirroredImage struct {
	Name      string   // "docker.io/library/alpine"
	Tags      []string // by which it was asked for; none: by its digest
	Digest    string   // "sha256:…"
	Bytes     int64    // that are kept of it; what it shares with others is counted for each
	CheckedAt time.Time
	UsedAt    time.Time
}

// MirrorFilter says which images are meant; the zero value means all.
type MirrorFilter struct {
	Name         string    // "alpine", "docker.io/library/alpine:3.20"; empty: any
	UnusedBefore time.Time // zero: also what was used just now
}

// Pruned is what was removed.
type Pruned struct {
	Images int
	Bytes  int64
}

// Mirror is what is kept of other registries.
type Mirror interface {
	// ListMirrored lists it, what was used last first.
	ListMirrored(ctx context.Context) ([]MirroredImage, error)
	// PruneMirrored removes what the filter means; builds fetch it again. Errors: Invalid.
	PruneMirrored(ctx context.Context, filter MirrorFilter) (Pruned, error)
}
