package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// receivedDir is where Git LFS objects are until they are whole.
const receivedDir = "received"

var _ catalog.LFSContents = (*Registry)(nil)

// StoreLFS implements catalog.LFSContents. A content is a blob of its digest, beside the images' ones, that no repository
// serves as one.
func (r *Registry) StoreLFS(_ context.Context, oid string, size int64, content io.Reader) error {
	if err := catalog.ValidateOID(oid); err != nil {
		return err
	}
	dir := filepath.Join(r.dir, receivedDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, oid+"-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // gone once it was placed; the collector removes what a crash leaves
	err = receive(file, oid, size, content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return r.place(file.Name(), digest.NewDigestFromEncoded(digest.SHA256, oid))
}

// receive copies what must be size bytes with a SHA-256, and no byte more. Errors: Invalid.
func receive(to io.Writer, oid string, size int64, content io.Reader) error {
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, sum), io.LimitReader(content, size+1))
	if err != nil {
		return err
	}
	if n != size {
		had := fmt.Sprintf("%d", n)
		if n > size {
			had = "more"
		}
		return catalog.FieldErrorf("size", "Git LFS object %s must have %d bytes, but %s arrived", oid, size, had)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != oid {
		return catalog.FieldErrorf("oid", "what was sent as Git LFS object %s has the SHA-256 %s", oid, got)
	}
	return nil
}

// place makes a file a blob, which is in use from now on. One that is there gives way: it may be damaged.
func (r *Registry) place(file string, d digest.Digest) error {
	unlock, err := r.lockUses(unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer unlock()
	now := time.Now()
	if err := os.Chtimes(file, now, now); err != nil {
		return err
	}
	path := r.blobPath(d)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.Rename(file, path); err != nil {
		return err
	}
	for range 3 { // the blob's directory, that of its first two digits, the algorithm's
		path = filepath.Dir(path)
		if err := atomicfile.SyncDir(path); err != nil {
			return err
		}
	}
	return nil
}

// OpenLFS implements catalog.LFSContents.
func (r *Registry) OpenLFS(oid string) (io.ReadSeekCloser, error) {
	if err := catalog.ValidateOID(oid); err != nil {
		return nil, err
	}
	d := digest.NewDigestFromEncoded(digest.SHA256, oid)
	file, err := os.Open(r.blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		var restored bool
		if restored, err = r.restore(d); err == nil && !restored {
			return nil, catalog.Errorf(catalog.NotFound, "the content of Git LFS object %s is not there", oid)
		}
		if err == nil {
			file, err = os.Open(r.blobPath(d))
		}
	}
	if err != nil {
		return nil, err
	}
	return file, nil
}

// eachLFS visits the Git LFS objects of every image.
func (r *Registry) eachLFS(ctx context.Context, visit func(map[digest.Digest]int64)) error {
	return catalog.EachImage(ctx, r.store, "", func(image catalog.Image) error {
		objects, err := r.store.ListLFSObjects(ctx, image.ID)
		if err != nil {
			return fmt.Errorf("git LFS objects of %s: %w", image.Ref, err)
		}
		found := map[digest.Digest]int64{}
		for _, o := range objects {
			d := digest.NewDigestFromEncoded(digest.SHA256, o.OID)
			if _, err := r.restore(d); err != nil {
				return err
			}
			found[d] = o.Size
		}
		visit(found)
		return nil
	})
}

// sweepReceived removes what a crash left of objects that were being received.
func (r *Registry) sweepReceived(before time.Time, dryRun bool, removed *BlobCount) error {
	dir := filepath.Join(r.dir, receivedDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignoreNotExist(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.ModTime().Before(before) {
			if !dryRun {
				err = os.Remove(filepath.Join(dir, e.Name()))
			}
			if err == nil {
				removed.add(info.Size())
			}
		}
		if ignoreNotExist(err) != nil {
			return err
		}
	}
	return nil
}
