package mirror

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// linked reports whether a repository's manifests, as they are kept, refer to a blob, and its size.
func (s *store) linked(ref reference) (size int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link(ref)
}

func (s *store) link(ref reference) (size int64, ok bool) {
	if r := s.records[ref.registry+"/"+ref.repository]; r != nil {
		for _, h := range r.Manifests {
			if size, ok := h.Parts[ref.digest]; ok {
				return size, true
			}
		}
	}
	return unknown, false
}

// hasRoom reports whether the disk has so many bytes beyond those that are to stay free.
func (s *store) hasRoom(size int64) bool {
	var disk unix.Statfs_t
	return unix.Statfs(s.dir, &disk) != nil || int64(disk.Bavail)*disk.Bsize-size >= s.leaveFree //nolint:gosec // of a disk
}

// create makes a file for what arrives.
func (s *store) create() (*os.File, error) {
	return os.CreateTemp(filepath.Join(s.dir, blobsDir), tempPrefix)
}

// adopt takes a file in that has the content of a digest, if that is still wanted.
func (s *store) adopt(ref reference, file string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.link(ref); !ok || s.blobs[ref.digest] != nil {
		return os.Remove(file)
	}
	if err := os.Rename(file, s.blobFile(ref.digest)); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	s.blobs[ref.digest] = &blob{size: size}
	s.total += size
	s.touch(ref.digest)
	s.shrink()
	return nil
}

// serve sends a blob that a repository refers to and that is kept; served is false for any other. Nobody waited for
// the disk when it was written, so what is sent whole is checked on its way: the last byte goes when all are right.
func (s *store) serve(w http.ResponseWriter, r *http.Request, ref reference) (served bool, err error) {
	file := s.open(ref)
	if file == nil {
		return false, nil
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", ref.digest.String())
	if r.Method == http.MethodHead || r.Header.Get("Range") != "" || info.Size() == 0 {
		http.ServeContent(w, r, "", time.Time{}, file)
		return true, nil
	}
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	if sendWhole(w, file, info.Size(), ref.digest) {
		return true, nil
	}
	s.mu.Lock()
	s.damaged(ref.digest)
	s.mu.Unlock()
	panic(http.ErrAbortHandler)
}

// open opens a blob that is kept and linked; nil: there is none.
func (s *store) open(ref reference) *os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, ok := s.link(ref)
	if !ok || s.blobs[ref.digest] == nil {
		return nil
	}
	file, err := os.Open(s.blobFile(ref.digest))
	if err == nil {
		info, statErr := file.Stat()
		if statErr == nil && info.Size() == size {
			s.touch(ref.digest)
			return file
		}
		_ = file.Close() // only read
	}
	s.damaged(ref.digest)
	return nil
}

// sendWhole copies a file, and reports whether it has the content of the digest.
func sendWhole(w io.Writer, file io.Reader, size int64, d digest.Digest) bool {
	sum := d.Algorithm().Hash()
	if _, err := io.CopyN(io.MultiWriter(w, sum), file, size-1); err != nil {
		return true // a client that went away; a file that is cut was seen before
	}
	last := make([]byte, 1)
	if _, err := io.ReadFull(file, last); err != nil {
		return false
	}
	sum.Write(last)
	if fmt.Sprintf("%x", sum.Sum(nil)) != d.Encoded() {
		return false
	}
	_, _ = w.Write(last) // a client that went away
	return true
}
