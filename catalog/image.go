package catalog

import (
	"context"
	"time"
)

// Page asks for one part of a list that is ordered newest first by ID.
type Page struct {
	Limit  int   // 0, or more than the store's maximum: that maximum
	Before int64 // only IDs below this one; 0: from the newest
}

// Image is a named project: one git repository, one OCI repository.
type Image struct {
	ID          int64
	Ref         ImageRef
	OwnerID     int64
	CreatedAt   time.Time
	LastVersion *Version // the newest, nil while there is none
}

// NewImage is what CreateImage stores.
type NewImage struct {
	Ref     ImageRef
	OwnerID int64
}

// Images stores images. Names are found without regard to case.
type Images interface {
	// CreateImage makes an image without versions. Errors: Invalid, NotFound
	// (namespace), Conflict (the name is taken, in any case), Unavailable (it is being removed).
	CreateImage(ctx context.Context, i NewImage) (Image, error)
	// Image returns an image. Errors: NotFound.
	Image(ctx context.Context, ref ImageRef) (Image, error)
	// ListImages returns a namespace's images, newest first; those of all namespaces
	// for "".
	ListImages(ctx context.Context, namespace string, page Page) ([]Image, error)
	// DeleteImage removes an image with its versions, builds and steps, and leaves a
	// Removal.
	// Errors: NotFound, Conflict (a version has a build that waits or runs).
	DeleteImage(ctx context.Context, imageID int64) error
}
