package export

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Entry is one entry of a layer that is made of files.
type Entry struct {
	Name     string // slash path in the image
	Mode     fs.FileMode
	UID, GID int
	Size     int64
	Link     string
	From     string         // name among Files of what a file holds
	Blob     catalog.BlobID // of a file or link
	IsParent bool           // a directory that is only on the way
}

// Files are what layers are made of.
type Files interface {
	Open(name string) (io.ReadCloser, error)
	// Err is why nothing is to be read any more; nil while it is.
	Err() error
}

// Add stores the layer of some entries, and remembers it. A fault in reading the files is no fault of the
// store's.
func (s *Store) Add(ctx context.Context, entries []Entry, files Files) (Layer, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return Layer{}, ctx.Err()
	}
	var unread *readError
	layer, err := s.storeNew(func(out io.Writer) error {
		err := writeEntries(out, entries, files, s.times)
		errors.As(err, &unread)
		return err
	})
	if unread != nil { // why the registry did not get all
		return layer, unread.error
	}
	if cause := files.Err(); cause != nil { // as another file was not read, or the build was cancelled
		return layer, cause
	}
	if err != nil {
		s.fail(err)
		return layer, err
	}
	s.remember(s.partName(entries), layer)
	return layer, nil
}

// Recall returns the layer of some entries that was stored before and still is, for this image.
func (s *Store) Recall(entries []Entry) (Layer, bool) { return s.recall(s.partName(entries)) }

// TimeOf returns the time that a content has in new layers.
func (s *Store) TimeOf(blob catalog.BlobID) (time.Time, error) { return s.times.of(blob) }

// partName is what a part's layer is remembered by: all that decides about its bytes.
func (s *Store) partName(part []Entry) digest.Digest {
	sum := sha256.New()
	fmt.Fprintf(sum, "part 1 %s %s\n", s.compression.mediaType, s.times.name())
	for _, e := range part {
		fmt.Fprintf(sum, "%q %o %d %d %d %q %s\n", e.Name, e.Mode, e.UID, e.GID, e.Size, e.Link, e.Blob)
	}
	return digest.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil)))
}

// readError is a fault of reading what a layer is made of.
type readError struct{ error }

// Unwrap returns the fault.
func (e *readError) Unwrap() error { return e.error }

// writeEntries writes a layer's archive of entries, which read their files from the build
// context.
func writeEntries(out io.Writer, entries []Entry, files Files, times layerTimes) error {
	to := tar.NewWriter(out)
	for _, e := range entries {
		header, err := e.header(times)
		if err != nil {
			return err
		}
		if err := to.WriteHeader(header); err != nil {
			return err
		}
		if e.Mode.IsRegular() {
			if err := e.copyTo(to, files); err != nil {
				return err
			}
		}
	}
	return to.Close()
}

func (e Entry) copyTo(out io.Writer, files Files) error {
	in, err := files.Open(e.From)
	if err != nil {
		return &readError{err}
	}
	defer in.Close() //nolint:errcheck // read only
	_, err = io.Copy(out, source{in})
	return err
}

// source marks the faults of a reader, and hides what else it can do.
type source struct{ in io.Reader }

// Read implements io.Reader.
func (s source) Read(b []byte) (int, error) {
	n, err := s.in.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &readError{err}
	}
	return n, err
}

func (e Entry) header(times layerTimes) (*tar.Header, error) {
	h := &tar.Header{
		Name: strings.TrimPrefix(e.Name, "/"), Mode: int64(e.Mode.Perm()), Uid: e.UID, Gid: e.GID, ModTime: times.ofAll(), Format: tar.FormatPAX,
	}
	for bit, mode := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if e.Mode&bit != 0 {
			h.Mode |= mode
		}
	}
	switch {
	case e.Mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case e.Mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
	default:
		h.Typeflag, h.Size = tar.TypeReg, e.Size
		var err error
		if h.ModTime, err = times.of(e.Blob); err != nil {
			return nil, err
		}
	}
	return h, nil
}
