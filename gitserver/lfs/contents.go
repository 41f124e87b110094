package lfs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Open implements repository.LargeFiles.
func (s *Server) Open(ctx context.Context, ref catalog.ImageRef, oid string) (io.ReadCloser, error) {
	content, _, err := s.open(ctx, ref, oid)
	if err != nil {
		return nil, err
	}
	return &compared{ReadCloser: content, oid: oid, ref: ref, sum: sha256.New()}, nil
}

func (s *Server) open(ctx context.Context, ref catalog.ImageRef, oid string) (io.ReadSeekCloser, catalog.LFSObject, error) {
	object, err := s.Find(ctx, ref, oid)
	if err != nil {
		return nil, object, err
	}
	content, err := s.content(object)
	if catalog.CodeOf(err) == catalog.NotFound { // a fault of ours
		err = catalog.Wrap(catalog.Internal, err, "the content of Git LFS object %s of %s is lost on the server; upload it again with git lfs push --all REMOTE, and tell the server's administrator", oid, ref)
	}
	return content, object, err
}

// isStored reports whether the content of an image's object is there: only then a client need not keep its own.
func (s *Server) isStored(o catalog.LFSObject) (bool, error) {
	content, err := s.content(o)
	if catalog.CodeOf(err) == catalog.NotFound {
		s.config.Logger.Error("the content of a Git LFS object is lost; a push brings it back", "oid", o.OID, "error", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, content.Close()
}

// content opens the content of an image's object. Errors: NotFound (nothing is there, or a part: disks lose files, and copies lack them).
func (s *Server) content(o catalog.LFSObject) (io.ReadSeekCloser, error) {
	content, err := s.config.Contents.OpenLFS(o.OID)
	if err != nil {
		return nil, err
	}
	size, err := content.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = content.Seek(0, io.SeekStart)
	}
	if err == nil && size != o.Size {
		err = catalog.Errorf(catalog.NotFound, "of the %d bytes of Git LFS object %s there are %d", o.Size, o.OID, size)
	}
	if err != nil {
		return nil, errors.Join(err, content.Close())
	}
	return content, nil
}

// compared is a content that ends well only if it is what its OID says. Clients of Git LFS compare it themselves.
type compared struct {
	io.ReadCloser
	oid string
	ref catalog.ImageRef
	sum hash.Hash
}

func (c *compared) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	_, _ = c.sum.Write(p[:n]) // a hash never fails
	if errors.Is(err, io.EOF) && hex.EncodeToString(c.sum.Sum(nil)) != c.oid {
		err = catalog.Errorf(catalog.Internal, "the content of Git LFS object %s of %s is damaged on the server; tell the server's administrator", c.oid, c.ref)
	}
	return n, err
}
