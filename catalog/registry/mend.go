package registry

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// mend is what a fault has to be mended.
type mend = func(ctx context.Context) (did string, err error)

// bringBack puts a blob back from the trash, if it is whole there.
func (c *inspection) bringBack(d digest.Digest) mend {
	return func(context.Context) (string, error) {
		if err := wholeBlob(d)(c.trashPath(d)); errors.Is(err, fs.ErrNotExist) {
			return "it was brought back from registry/trash for another version", nil
		} else if err != nil {
			return "", err
		}
		if err := os.MkdirAll(filepath.Dir(c.blobPath(d)), 0o755); err != nil {
			return "", err
		}
		if err := os.Rename(c.trashPath(d), c.blobPath(d)); err != nil {
			return "", err
		}
		return "it was brought back from registry/trash", atomicfile.SyncDir(filepath.Dir(c.blobPath(d)))
	}
}

// wholeBlob returns what tells by an error that a file is not a blob's content.
func wholeBlob(d digest.Digest) func(path string) error {
	return func(path string) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		verifier := d.Verifier()
		_, err = file.WriteTo(verifier)
		if err = errors.Join(err, file.Close()); err == nil && !verifier.Verified() {
			err = errors.New(path + " is damaged, too")
		}
		return err
	}
}

// setAside moves a damaged blob to where nothing takes it for what its name says.
func (c *inspection) setAside(d digest.Digest) mend {
	return func(context.Context) (string, error) {
		if err := os.MkdirAll(filepath.Join(c.dir, trashDir), 0o700); err != nil {
			return "", err
		}
		to := c.trashPath(d) + ".damaged"
		return "it was moved to " + to, os.Rename(c.blobPath(d), to)
	}
}

// mendLink writes a repository's link to a blob again.
func mendLink(path string, stored digest.Digest) mend {
	return func(context.Context) (string, error) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		return "the link was written again", atomicfile.Replace(path, []byte(stored), 0o644)
	}
}

// mendReferrer writes again what is known of a manifest that refers to another, by the manifest itself.
func (c *inspection) mendReferrer(path string) mend {
	return func(context.Context) (string, error) {
		d := digest.NewDigestFromEncoded(digest.SHA256, filepath.Base(path))
		if err := d.Validate(); err != nil {
			return "", err
		}
		blob, ok := c.find(d)
		if !ok || blob.damaged {
			return "", errors.New("the manifest " + d.String() + " is missing or damaged")
		}
		parts, err := readParts(c.blobPath(d))
		if err != nil {
			return "", err
		}
		parts.MediaType = cmp.Or(parts.MediaType, ocispec.MediaTypeImageManifest)
		return "it was written again from the manifest", writeReferrer(path, parts, d, blob.size)
	}
}
