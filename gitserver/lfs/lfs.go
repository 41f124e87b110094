// Package lfs is the server's side of Git LFS: the batch API, transfers and locks over HTTP, the same over SSH by the protocol of
// git-lfs-transfer, and the tokens by which git-lfs-authenticate sends clients of SSH to HTTP.
//
// A Server is created once and serves until its listeners stop. It keeps nothing itself: which image has which object is in the catalog, and
// contents are blobs of the registry, each stored once.
//
// What always holds: an object is known to an image by an upload to that very image, whose every byte was read and hashed, whatever
// is stored already; so an OID alone neither gives its content nor says whether others have it. An object is there whole or not at all. Who
// asks is asked for again before an upload counts. The first object creates the image, as the first push does: git-lfs uploads
// before git pushes.
package lfs

import (
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // git's name of a content
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// Store is the part of the catalog that is asked.
type Store interface {
	catalog.Users
	catalog.Namespaces
	catalog.Images
	catalog.LFS
}

// Config is what New needs.
type Config struct {
	Store    Store
	Contents catalog.LFSContents
	Auth     catalog.Authenticator
	// LoggedIn is told of a request whose token SSH gave; Auth sees all others.
	LoggedIn func(context.Context)
	// Trusts reports whether certificates that a key signed, by its fingerprint, still log in over SSH; nil: none do.
	Trusts func(authority string) (bool, error)
	// Secret signs tokens. Another one ends all that were issued.
	Secret []byte
	// URL returns the http(s)://host[:port] that users reach this server by.
	URL func() string
	// EnsureRepository makes an image's repository where there is none: what has none can't say which objects it needs, so that
	// none would ever go.
	EnsureRepository func(catalog.ImageRef) error
	MaxObjectBytes   int64             // of one object; 0: no limit
	Admission        catalog.Admission // of uploads; nil: there is always room
	Now              func() time.Time  // nil: the clock
	Logger           hclog.Logger      // nil: nothing is logged
}

// Server answers git-lfs.
type Server struct {
	config Config
}

var _ repository.LargeFiles = (*Server)(nil)

// New returns a server.
func New(c Config) *Server {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Trusts == nil {
		c.Trusts = func(string) (bool, error) { return false, nil }
	}
	if c.LoggedIn == nil {
		c.LoggedIn = func(context.Context) {}
	}
	c.Logger = cmp.Or[hclog.Logger](c.Logger, hclog.NewNullLogger())
	return &Server{config: c}
}

// Operation is what a client says it is about to do.
type Operation string

// The operations. Who uploads may download, too.
const (
	Upload   Operation = "upload"
	Download Operation = "download"
)

// ParseOperation reads an operation. Errors: Invalid.
func ParseOperation(text string) (Operation, error) {
	switch o := Operation(text); o {
	case Upload, Download:
		return o, nil
	}
	return "", catalog.FieldErrorf("operation", "%q is not a Git LFS operation; the operations are: upload, download", text)
}

// Action is what an operation takes the right to.
func (o Operation) Action() catalog.Action {
	if o == Upload {
		return catalog.ActionWrite
	}
	return catalog.ActionRead
}

// Caller is who asks for something of one image.
type Caller struct {
	Identity catalog.Identity
	Ref      catalog.ImageRef
	// StillMay asks again who it is and whether they may do something: what lasts may outlast a right.
	StillMay func(context.Context, catalog.Action) error
	// Audit takes a line for each change that is no upload.
	Audit hclog.Logger
}

// Find implements repository.LargeFiles.
func (s *Server) Find(ctx context.Context, ref catalog.ImageRef, oid string) (catalog.LFSObject, error) {
	image, err := s.config.Store.Image(ctx, ref)
	if err != nil {
		return catalog.LFSObject{}, err
	}
	return s.config.Store.LFSObject(ctx, image.ID, oid)
}

// Unused implements repository.LargeFiles.
func (s *Server) Unused(ctx context.Context, ref catalog.ImageRef, until time.Time) ([]catalog.LFSObject, error) {
	image, err := s.config.Store.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	all, err := s.config.Store.ListLFSObjects(ctx, image.ID)
	return slices.DeleteFunc(all, func(o catalog.LFSObject) bool { return o.UsedAt.After(until) }), err
}

// Remove implements repository.LargeFiles. The contents are the registry's to collect.
func (s *Server) Remove(ctx context.Context, ref catalog.ImageRef, oids []string, until time.Time) ([]catalog.LFSObject, error) {
	image, err := s.config.Store.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	return s.config.Store.DeleteLFSObjects(ctx, image.ID, oids, until)
}

// wanted is an object that a client has, or wants.
type wanted struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`
}

// has reports whether an image, which may not exist yet, has an object. One whose content is lost it does not have: an upload
// brings it back. Errors: those of mayUpload (it can't be uploaded).
func (s *Server) has(ctx context.Context, image catalog.Image, w wanted, operation Operation) (bool, error) {
	if err := catalog.ValidateOID(w.OID); err != nil {
		return false, err
	}
	object, err := s.config.Store.LFSObject(ctx, image.ID, w.OID)
	switch {
	case err == nil && object.Size != w.Size:
		return true, catalog.FieldErrorf("size", "Git LFS object %s has %d bytes, not %d", w.OID, object.Size, w.Size)
	case err == nil:
		return s.isStored(object)
	case catalog.CodeOf(err) != catalog.NotFound:
		return true, err
	case operation == Upload:
		return false, s.mayUpload(ctx, image.Ref, w)
	}
	return false, nil
}

// mayUpload refuses what is too large, or for what there is no room. Errors: Invalid, TooLarge, those of catalog.Admission.
func (s *Server) mayUpload(ctx context.Context, ref catalog.ImageRef, w wanted) error {
	if err := s.checkSize(w); err != nil {
		return err
	}
	return catalog.Admit(ctx, s.config.Admission, ref.Namespace, takes(w))
}

// takes is what an object comes to.
func takes(w wanted) catalog.Amounts { return catalog.Amounts{Bytes: max(w.Size, 1)} }

// checkSize refuses what is larger than one object may be. Errors: Invalid, TooLarge.
func (s *Server) checkSize(w wanted) error {
	switch most := s.config.MaxObjectBytes; {
	case w.Size < 0:
		return catalog.FieldErrorf("size", "%d is not a valid size of Git LFS object %s", w.Size, w.OID)
	case most > 0 && w.Size > most:
		return catalog.Errorf(catalog.TooLarge, "Git LFS object %s has %d bytes, and this server takes at most %d", w.OID, w.Size, most)
	}
	return nil
}

// use has what a client may be about to push pointers to last as if it had just come, if it is there: the client need not send it then.
func (s *Server) use(ctx context.Context, image catalog.Image, objects []wanted, operation Operation) error {
	if operation != Upload || image.ID == 0 {
		return nil
	}
	oids := make([]string, len(objects))
	for i, w := range objects {
		oids[i] = w.OID
	}
	return s.config.Store.UseLFSObjects(ctx, image.ID, oids)
}

// imageFor returns the caller's image. One that an upload would create has no ID yet. Errors: NotFound, Conflict (of an upload: it is
// built from another's repository).
func (s *Server) imageFor(ctx context.Context, c Caller, operation Operation) (catalog.Image, error) {
	image, err := s.config.Store.Image(ctx, c.Ref)
	if catalog.CodeOf(err) == catalog.NotFound && operation == Upload {
		return catalog.Image{Ref: c.Ref}, nil
	}
	if err == nil && operation == Upload {
		err = image.CheckOwnSource()
	}
	return image, err
}

// receive takes the content of an object from a caller who may upload.
func (s *Server) receive(ctx context.Context, c Caller, w wanted, content io.Reader) error {
	if err := catalog.ValidateOID(w.OID); err != nil {
		return err
	}
	if err := s.checkSize(w); err != nil {
		return err
	}
	release, err := catalog.Reserve(ctx, s.config.Admission, c.Ref.Namespace, takes(w))
	if err != nil {
		return err
	}
	defer release() // when the catalog has it
	image, err := s.imageFor(ctx, c, Upload)
	if err != nil {
		return err
	}
	arriving := &arriving{from: content, git: gitHash(w.Size), atEnd: func() error { return c.StillMay(ctx, catalog.ActionWrite) }}
	if err := s.config.Contents.StoreLFS(ctx, w.OID, w.Size, arriving); err != nil {
		return err
	}
	if image.ID == 0 {
		if image, err = s.createImage(ctx, c); err != nil {
			return err
		}
	}
	if err := s.config.EnsureRepository(c.Ref); err != nil {
		return err
	}
	err = s.config.Store.AddLFSObject(ctx, image.ID, catalog.LFSObject{
		OID: w.OID, Size: w.Size, Blob: catalog.BlobID(hex.EncodeToString(arriving.git.Sum(nil))),
	})
	if catalog.CodeOf(err) == catalog.NotFound {
		err = catalog.Errorf(catalog.Conflict, "%s was deleted in the meantime; push again to create it anew", c.Ref)
	}
	return err
}

// createImage returns the caller's image, creating it if need be.
func (s *Server) createImage(ctx context.Context, c Caller) (catalog.Image, error) {
	image, err := s.config.Store.Image(ctx, c.Ref)
	if catalog.CodeOf(err) != catalog.NotFound {
		return image, err
	}
	image, err = s.config.Store.CreateImage(ctx, catalog.NewImage{Ref: c.Ref, OwnerID: c.Identity.User.ID})
	if catalog.CodeOf(err) == catalog.Conflict {
		return s.config.Store.Image(ctx, c.Ref) // another first upload was faster
	}
	return image, err
}

// gitHash is what git names a content of a size by.
func gitHash(size int64) hash.Hash {
	sum := sha1.New() //nolint:gosec // git's name of a content
	fmt.Fprintf(sum, "blob %d\x00", size)
	return sum
}

// arriving is a content on its way. It ends well only for who may still upload then.
type arriving struct {
	from  io.Reader
	git   hash.Hash
	atEnd func() error
}

func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.from.Read(p)
	_, _ = a.git.Write(p[:n]) // a hash never fails
	if errors.Is(err, io.EOF) {
		if refused := a.atEnd(); refused != nil {
			return n, refused
		}
	}
	return n, err
}
