package catalog

import "context"

// Removal is a namespace, an image or a version whose rows are gone and whose files may not be yet:
// repository or tag, manifests, logs. Nothing of its name can be made while it lasts.
type Removal struct {
	ID      int64
	ImageID int64
	Image   ImageRef // without Name: the whole namespace
	Version string   // empty: the whole image
	// Tags, if any, are to be withdrawn from the repository of Source, where that stays: no other version is built of them.
	Source ImageRef // whose repository has what is to go
	Tags   []RemovedTag
	// Kept are the objects whose hidden refs go from there: no other build is of them. Hex.
	Kept   []string
	Digest string // of its manifest; empty when it was not built
	Builds []int64
}

// RemovedTag is a tag that goes while it is of a commit.
type RemovedTag struct {
	Name   string `json:"name"`
	Commit string `json:"commit"` // hex
}

// Removals stores what deletions have left to do.
type Removals interface {
	// Removals returns them, the oldest first.
	Removals(ctx context.Context) ([]Removal, error)
	// EndRemoval forgets one, whose files are gone. Errors: NotFound.
	EndRemoval(ctx context.Context, id int64) error
}
