package catalog

import "context"

// Removal is a namespace, an image or a version whose rows are gone and whose files may not be yet:
// repository or tag, manifests, logs. Nothing of its name can be made while it lasts.
type Removal struct {
	ID      int64
	ImageID int64
	Image   ImageRef // without Name: the whole namespace
	Version string   // empty: the whole image
	Commit  string   // of the version; empty when it came as an image
	Digest  string   // of its manifest; empty when it was not built
	Builds  []int64
}

// Removals stores what deletions have left to do.
type Removals interface {
	// Removals returns them, the oldest first.
	Removals(ctx context.Context) ([]Removal, error)
	// EndRemoval forgets one, whose files are gone. Errors: NotFound.
	EndRemoval(ctx context.Context, id int64) error
}
