package catalog

import (
	"context"
	"io"
	"io/fs"
	"strings"
	"time"
)

// BlobID is the hex object name of a file's content, or of a symbolic link's
// target. Equal contents have equal ones.
type BlobID string

// Files is a file system with symbolic links. None leads out of what Sub returns.
type Files interface {
	fs.ReadLinkFS
	fs.ReadDirFS
	fs.SubFS
}

// Tree is one commit's files, read straight from git objects, without the
// paths that .gitattributes marks export-ignore; files named .dockerignore stay. Order and errors are as io/fs
// has them. Names are bytes that need not be UTF-8. Lstat and ReadLink never follow links; what follows them
// takes the tree for all there is, so that absolute ones and those above the root begin at the root. A Git LFS
// pointer, where .gitattributes says filter=lfs, is the file that it stands for, as after git lfs pull. One whose object the image does not
// have, and a submodule (a directory), have names and types; asking for more than that, by Info, Stat or Open, is Invalid
// and says what to do, but for submodules that OpenSubmodules gives access to. Directories are of mode 0755: git records none. ModTime is the commit's. FileInfo.Sys of a file or link is
// its BlobID, and nil of a directory. It is safe for concurrent use.
type Tree interface {
	Files
	io.Closer
	// Whole returns the same files with those marked export-ignore: what a
	// checkout has. It is good until Close.
	Whole() Files
	// CommitTime is the committer's time, to the second, in UTC, from 1970 to 9999.
	CommitTime() time.Time
	// Describe names the commit by the nearest tag of its history as `git describe --tags --always` does:
	// "v1.0", "v1.0-3-g0123abc", or "0123abc" where there is none, or too much history to look through.
	Describe(ctx context.Context, as CheckedOut) (string, error)
	// KeepGit puts a .git into the root, of which git tells the commit's history, its tags and its files. To git
	// no file of the tree ever differs from the commit. It is there before anything is read, or not at all. Errors: TooLarge.
	KeepGit(ctx context.Context, as CheckedOut) error
	// OpenSubmodules has the files of a submodule fetched when they are first asked for; ctx bounds that. Before it is
	// called, submodules are refused. ReadDir takes one that can't be had for empty: a walk may not need it. One that no .gitmodules names, or that is not to be updated, is an empty directory.
	OpenSubmodules(ctx context.Context, access SubmoduleAccess)
}

// CheckedOut is what a commit is built for. Of several tags of the commit, only its own is told of.
type CheckedOut struct {
	Tag    string // the version's
	Branch string // of which the version is; empty: the tag itself was pushed
}

// IsBranchVersion reports whether a version has the name that BranchVersion gives a commit of some branch.
func IsBranchVersion(version, commit string) bool {
	return len(commit) > shortCommit && strings.HasSuffix(version, "-"+commit[:shortCommit])
}

// CommitFiles are single files of a commit. No link is followed: what is below one is not there.
type CommitFiles interface {
	fs.FS
	io.Closer
	// Lstat is as of fs.ReadLinkFS.
	Lstat(name string) (fs.FileInfo, error)
	// Message is what the committer wrote.
	Message() string
}

// TagRef is a tag of a git repository.
type TagRef struct {
	Name   string
	Object string // hex, the tag object of an annotated tag, else the commit
	Commit string // hex
	Stored bool   // it is there as history, and no version is to be made of it
}

// Annotated returns the object of an annotated tag, empty for a lightweight one.
func (t TagRef) Annotated() string {
	if t.Object == t.Commit {
		return ""
	}
	return t.Object
}

// MaxTag bounds the annotated tags that are looked at, in bytes.
const MaxTag = 1 << 20

// Sources is what the git repositories offer to those who build from them. The
// git server implements it.
type Sources interface {
	// Tree opens a commit's files. Errors: NotFound (repository or commit), and
	// Invalid (more files or deeper directories than can be built).
	Tree(ctx context.Context, ref ImageRef, commit string) (Tree, error)
	// Peek opens a commit for a look at single files, at the cost of the directories that they are in. Errors: NotFound
	// (repository or commit).
	Peek(ctx context.Context, ref ImageRef, commit string) (CommitFiles, error)
	// Store marks the tags of which value is true as Stored while they are what they are now, and the others as not.
	// Errors: NotFound (repository).
	Store(ctx context.Context, ref ImageRef, tags map[string]bool) error
	// Keep makes a commit or an annotated tag reachable by a hidden ref, so that it can be built
	// again after its tag went. Errors: NotFound.
	Keep(ctx context.Context, ref ImageRef, object string) error
	// ReadTag returns what an annotated tag's object says. Errors: NotFound (repository or tag), TooLarge (MaxTag).
	ReadTag(ctx context.Context, ref ImageRef, object string) ([]byte, error)
	// WithdrawTag removes a tag if it still peels to commit. No tag is no error.
	WithdrawTag(ctx context.Context, ref ImageRef, tag, commit string) error
	// SetTag makes a tag of an object the repository has. A tag of the same
	// commit stays as it is. Errors: Invalid (tag), NotFound (repository or
	// object), Conflict (the tag is of another commit).
	SetTag(ctx context.Context, ref ImageRef, tag, object string) error
	// Tags returns the tags of a repository, none when there is no repository.
	Tags(ctx context.Context, ref ImageRef) ([]TagRef, error)
	// Repositories returns the image of every repository on disk, names in
	// lower case.
	Repositories(ctx context.Context) ([]ImageRef, error)
	// Delete removes an image's repository. None is no error.
	Delete(ctx context.Context, ref ImageRef) error
	// SetAside takes a repository that has no image out of use, and returns where it
	// is kept, for a month.
	SetAside(ctx context.Context, ref ImageRef) (path string, err error)
}

// SourceWriter puts files that came otherwise than by git into the
// repositories. The git server implements it.
type SourceWriter interface {
	// WriteTree begins a tree for an image, whose repository is made when there
	// is none yet. Nothing of it is in the repository before Commit.
	WriteTree(ctx context.Context, ref ImageRef) (TreeWriter, error)
}

// TreeWriter takes in the files of one tree, in any order. Paths are as
// fs.ValidPath has them; directories come by themselves. A content that the
// repository has already takes no space. It is not safe for concurrent use.
type TreeWriter interface {
	// File writes a file of exactly size bytes. Errors: those of content, and
	// Invalid (path, or content of another size).
	File(path string, executable bool, size int64, content io.Reader) error
	// Symlink writes a symbolic link. A file or link that was written before at the same
	// path is replaced, by File and Copy as well. Errors: Invalid (path).
	Symlink(path, target string) error
	// Dir makes a directory, which stays though nothing is put into it. Errors: Invalid (path).
	Dir(path string) error
	// Copy gives the file at from, which was written before, a second path.
	// Errors: Invalid (path), NotFound (from).
	Copy(path, from string) error
	// Bytes returns what was written takes on disk, compressed, beside what the repository has already.
	Bytes() int64
	// Commit makes a commit of all files, without parents, and brings it into
	// the repository. It returns the commit, hex.
	Commit(ctx context.Context, c NewCommit) (string, error)
	// Close drops what was not committed.
	Close() error
}

// NewCommit is what TreeWriter.Commit writes beside the files.
type NewCommit struct {
	Author  string
	Message string
	Time    time.Time
	// Like names a commit, hex, that is returned in place of a new one when it
	// has no parents and the very same files. Empty: always a new one.
	Like string
}

// IsDotGit knows the spellings of ".git" on file systems that ignore case,
// trailing dots and blanks, or stream names. No tree may hold such a name. Names
// that hold a backslash, or characters that HFS+ ignores, are names like others
// here, as git takes them by default: its clients write no file that they make
// part of a .git.
func IsDotGit(name string) bool {
	if len(name) < 4 || (name[0] != '.' && name[0] != 'g' && name[0] != 'G') {
		return false
	}
	name, _, _ = strings.Cut(name, ":")
	name = strings.ToLower(strings.TrimRight(name, ". "))
	return name == ".git" || name == "git~1"
}
