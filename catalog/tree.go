package catalog

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// Tree is one commit's files, read straight from git objects, without the
// paths that .gitattributes marks export-ignore. Names, order and errors are as io/fs has them;
// Lstat and ReadLink never follow links. A file's ModTime has constant seconds
// (1980-01-01T00:00:01Z) and nanoseconds taken from its blob's hash, because
// BuildKit tells changed files by size and time. It is safe for concurrent use.
type Tree interface {
	fs.ReadLinkFS
	fs.ReadDirFS
	io.Closer
	// CommitTime is the committer's time, to the second, in UTC.
	CommitTime() time.Time
}

// TagRef is a tag of a git repository.
type TagRef struct {
	Name   string
	Object string // hex, the tag object of an annotated tag, else the commit
	Commit string // hex
}

// Sources is what the git repositories offer to those who build from them. The
// git server implements it.
type Sources interface {
	// Tree opens a commit's files. Errors: NotFound (repository or commit), and
	// Invalid naming the first submodule or LFS pointer, which can't be built.
	Tree(ctx context.Context, ref ImageRef, commit string) (Tree, error)
	// Keep makes a commit reachable by a hidden ref, so that it can be built
	// again after its tag went. Errors: NotFound.
	Keep(ctx context.Context, ref ImageRef, commit string) error
	// WithdrawTag removes a tag if it still peels to commit. No tag is no error.
	WithdrawTag(ctx context.Context, ref ImageRef, tag, commit string) error
	// Tags returns the tags of a repository, none when there is no repository.
	Tags(ctx context.Context, ref ImageRef) ([]TagRef, error)
	// Repositories returns the image of every repository on disk, names in
	// lower case.
	Repositories(ctx context.Context) ([]ImageRef, error)
	// Delete removes an image's repository. None is no error.
	Delete(ctx context.Context, ref ImageRef) error
}
