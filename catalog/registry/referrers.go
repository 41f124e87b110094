package registry

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// referrersDir keeps one file for each manifest that names a subject:
// <repository>/<subject>/<manifest>, with the manifest's descriptor. The
// library has no referrers of its own.
const referrersDir = "referrers"

func (r *Registry) referrersOf(ref catalog.ImageRef) string {
	return filepath.Join(r.dir, referrersDir, filepath.FromSlash(ref.Repository()))
}

// addReferrer notes that a stored manifest has a subject.
func (r *Registry) addReferrer(p *manifestPut) error {
	subject := p.parts.Subject.Digest
	if err := subject.Validate(); err != nil {
		return catalog.Wrap(catalog.Invalid, err, "the manifest's subject %q is not a valid digest", subject)
	}
	unlock, err := r.lockUses(unix.LOCK_SH) // the directory is not swept meanwhile
	if err != nil {
		return err
	}
	defer unlock()
	dir := filepath.Join(r.referrersOf(p.image.Ref), subject.Encoded())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return writeReferrer(filepath.Join(dir, p.digest.Encoded()), p.parts, p.digest, int64(len(p.body)))
}

// writeReferrer writes the descriptor of a manifest that has a subject.
func writeReferrer(path string, parts manifestParts, d digest.Digest, size int64) error {
	of := ocispec.Descriptor{MediaType: parts.MediaType, Digest: d, Size: size, ArtifactType: parts.ArtifactType, Annotations: parts.Annotations}
	if of.ArtifactType == "" && parts.Config != nil {
		of.ArtifactType = parts.Config.MediaType
	}
	data, err := json.Marshal(of)
	if err != nil {
		return err
	}
	return atomicfile.Replace(path, data, 0o600)
}

// referrers returns the descriptors of the manifests that have a subject.
func (r *Registry) referrers(ref catalog.ImageRef, subject digest.Digest) ([]ocispec.Descriptor, error) {
	dir := filepath.Join(r.referrersOf(ref), subject.Encoded())
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	found, times := []ocispec.Descriptor{}, map[digest.Digest]time.Time{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var d ocispec.Descriptor
		if err = errors.Join(err, json.Unmarshal(data, &d)); err != nil {
			return nil, err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(r.blobPath(d.Digest)); err == nil { // else it was collected
			found, times[d.Digest] = append(found, d), info.ModTime()
		}
	}
	// Some clients read the last alone, as the newest.
	slices.SortFunc(found, func(a, b ocispec.Descriptor) int {
		return cmp.Or(times[a.Digest].Compare(times[b.Digest]), cmp.Compare(a.Digest, b.Digest))
	})
	return found, nil
}

// listReferrers answers GET /v2/<name>/referrers/<digest>.
func (c *call) listReferrers() error {
	subject, err := digest.Parse(c.vars["digest"])
	if err != nil {
		return catalog.Wrap(catalog.Invalid, err, "%q is not a valid digest", c.vars["digest"])
	}
	list := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	if list.Manifests, err = c.registry.referrers(c.image.Ref, subject); err != nil {
		return err
	}
	if wanted := c.req.URL.Query().Get("artifactType"); wanted != "" {
		list.Manifests = slices.DeleteFunc(list.Manifests, func(d ocispec.Descriptor) bool { return d.ArtifactType != wanted })
		c.w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	c.w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	// A failed write is a client that went away.
	_ = json.NewEncoder(c.w).Encode(list)
	return nil
}
