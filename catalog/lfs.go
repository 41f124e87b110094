package catalog

import (
	"context"
	"crypto/sha256"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// LFSObject is the content of a Git LFS pointer, as one image's repository has it.
type LFSObject struct {
	OID    string    // hex SHA-256 of the content
	Size   int64     // bytes
	Blob   BlobID    // as git would name the same content
	UsedAt time.Time // when a client last sent it, or was told that it need not be sent; what is added has that from the store
}

var oidPattern = regexp.MustCompile(`^[0-9a-f]+$`)

// ValidateOID checks an object's name. Errors: Invalid.
func ValidateOID(oid string) error {
	if len(oid) != 2*sha256.Size || !oidPattern.MatchString(oid) {
		return FieldErrorf("oid", "%q is not a valid Git LFS object ID: it is 64 lower-case hex digits, a SHA-256", oid)
	}
	return nil
}

// LFSLock is a path of an image's repository that a user has locked. Locks bind those who ask for
// them, as git-lfs does before a push: pushes are not compared with them.
type LFSLock struct {
	ID       int64
	Path     string
	OwnerID  int64
	Owner    string // the user's name
	LockedAt time.Time
}

const maxLockPath = 4096

// ValidateLockPath checks a path that is to be locked. Errors: Invalid.
func ValidateLockPath(path string) error {
	switch {
	case path == "":
		return FieldErrorf("path", "a lock needs a path")
	case len(path) > maxLockPath:
		return FieldErrorf("path", "a path must be at most %d bytes long", maxLockPath)
	case !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl):
		return FieldErrorf("path", "path %q contains a control character, or is not UTF-8", path)
	}
	return nil
}

// LFSLockFilter says which locks are listed.
type LFSLockFilter struct {
	Path  string // "": of any
	ID    int64  // 0: any
	After int64  // only greater IDs
	Limit int    // 0, or more than the store's maximum: that maximum
}

// LFS stores which Git LFS objects images have, and their locks. The contents are LFSContents'.
type LFS interface {
	// AddLFSObject notes that an image has an object, whose content is stored, and that it is used now. One that it has
	// already is no error. Errors: NotFound (image).
	AddLFSObject(ctx context.Context, imageID int64, o LFSObject) error
	// LFSObject returns one of an image's objects. Errors: NotFound.
	LFSObject(ctx context.Context, imageID int64, oid string) (LFSObject, error)
	// ListLFSObjects returns all objects of an image.
	ListLFSObjects(ctx context.Context, imageID int64) ([]LFSObject, error)
	// UseLFSObjects has those of some objects that an image has be used now.
	UseLFSObjects(ctx context.Context, imageID int64, oids []string) error
	// DeleteLFSObjects removes those of some objects from an image that were not used after a time, and returns them.
	DeleteLFSObjects(ctx context.Context, imageID int64, oids []string, until time.Time) ([]LFSObject, error)

	// CreateLFSLock locks a path. A lock of the same path, which is returned then, is a Conflict.
	// Errors: Invalid (path), NotFound (image or user), Conflict, Forbidden (too many of the image).
	CreateLFSLock(ctx context.Context, imageID int64, path string, ownerID int64) (LFSLock, error)
	// ListLFSLocks returns an image's locks by ID.
	ListLFSLocks(ctx context.Context, imageID int64, f LFSLockFilter) ([]LFSLock, error)
	// DeleteLFSLock removes an image's lock. Errors: NotFound.
	DeleteLFSLock(ctx context.Context, imageID, id int64) error
}

// LFSContents keeps the contents of Git LFS objects, each once, whichever images have it. It checks no rights;
// LFS says whose an object is. The registry implements it.
type LFSContents interface {
	// StoreLFS reads content to its end, which must be size bytes whose SHA-256 is the OID. What is something else, or
	// ends early, leaves nothing. Errors: those of content, and Invalid.
	StoreLFS(ctx context.Context, oid string, size int64, content io.Reader) error
	// OpenLFS opens a stored content. Errors: NotFound.
	OpenLFS(oid string) (io.ReadSeekCloser, error)
}
