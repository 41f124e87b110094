package registry

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

// download serves a blob from its file. The app would pass it through 4 MB of
// memory for each request, and send nothing while it fills that. What the
// repository does not hold is the app's to refuse.
func (c *call) download() error {
	d := digest.Digest(c.vars["digest"])
	if err := c.promise(d); err != nil {
		return err
	}
	file, blob, err := c.registry.openBlob(c.req.Context(), c.image.Ref, d)
	if errors.Is(err, distribution.ErrBlobUnknown) || errors.Is(err, fs.ErrNotExist) || d.Validate() != nil {
		return c.answer()
	}
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	header := c.w.Header()
	header.Set("Docker-Distribution-API-Version", "registry/2.0")
	header.Set("Docker-Content-Digest", blob.Digest.String())
	header.Set("Content-Type", blob.MediaType)
	header.Set("Cache-Control", "max-age=31536000") // a year; what a digest names never changes
	header.Set("ETag", `"`+blob.Digest.String()+`"`)
	http.ServeContent(c.w, c.req, "", time.Time{}, file)
	return nil
}

// refuseDeletion says that a blob is not deleted by itself, or is not there.
func (c *call) refuseDeletion() error {
	d := digest.Digest(c.vars["digest"])
	if held, err := c.registry.holdsBlob(c.req.Context(), c.image.Ref, d); err != nil || !held {
		return orUnknown(err, aboutBlob, "image %s has no blob %s", c.image.Ref, d)
	}
	return errDeletesNothing
}

// openBlob opens a blob if the repository holds it.
func (r *Registry) openBlob(ctx context.Context, ref catalog.ImageRef, d digest.Digest) (*os.File, ocispec.Descriptor, error) {
	repository, err := r.repository(ctx, ref)
	if err != nil {
		return nil, ocispec.Descriptor{}, err
	}
	blob, err := repository.Blobs(ctx).Stat(ctx, d)
	if err != nil {
		return nil, blob, err
	}
	file, err := os.Open(r.blobPath(blob.Digest))
	return file, blob, err
}
