package catalog

import (
	"context"
	"time"
)

// CommitInfo is what a commit says of itself. Texts are the beginning of what others wrote.
type CommitInfo struct {
	ID      string // hex
	Author  string
	Subject string    // the first line of its message
	Time    time.Time // the committer's
}

// Histories reads the history of commits. The git server implements it.
type Histories interface {
	// CommitsSince returns the commits that one leads to and an older one does not, both hex, the newest first: at most limit, and whether
	// there are more. Errors: NotFound (repository, or either commit).
	CommitsSince(ctx context.Context, ref ImageRef, since, until string, limit int) (commits []CommitInfo, more bool, err error)
}
