package registry

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

// referrersDir keeps one file for each manifest that names a subject:
// <repository>/<subject>/<manifest>, with the manifest's descriptor. The
// library has no referrers of its own.
const referrersDir = "referrers"

var referrersRoute = regexp.MustCompile(`^/v2/([^/]+/[^/]+)/referrers/([^/]+)$`)

func (r *Registry) referrersOf(ref catalog.ImageRef) string {
	return filepath.Join(r.dir, referrersDir, filepath.FromSlash(ref.Repository()))
}

// addReferrer notes that a stored manifest has a subject.
func (r *Registry) addReferrer(p *manifestPut) error {
	subject := p.parts.Subject.Digest
	if err := subject.Validate(); err != nil {
		return catalog.Wrap(catalog.Invalid, err, "the manifest's subject %q is no digest", subject)
	}
	d := ocispec.Descriptor{
		MediaType: p.parts.MediaType, Digest: p.digest, Size: int64(len(p.body)),
		ArtifactType: p.parts.ArtifactType, Annotations: p.parts.Annotations,
	}
	if d.ArtifactType == "" && p.parts.Config != nil {
		d.ArtifactType = p.parts.Config.MediaType
	}
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	dir := filepath.Join(r.referrersOf(p.image.Ref), subject.Encoded())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// Written aside, so that nobody reads half of it.
	temporary, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) //nolint:errcheck // gone once it was renamed
	_, err = temporary.Write(data)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), filepath.Join(dir, p.digest.Encoded()))
}

// referrers returns the descriptors of the manifests that have a subject.
func (r *Registry) referrers(ref catalog.ImageRef, subject digest.Digest) ([]ocispec.Descriptor, error) {
	dir := filepath.Join(r.referrersOf(ref), subject.Encoded())
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	found := []ocispec.Descriptor{}
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
		if _, err := os.Stat(r.blobPath(d.Digest)); err == nil { // else it was collected
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b ocispec.Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	return found, nil
}

// listReferrers answers GET /v2/<name>/referrers/<digest>.
func (r *Registry) listReferrers(req *http.Request, id catalog.Identity, name, of string) (http.Handler, error) {
	image, err := r.image(req.Context(), id, name)
	if err != nil {
		return nil, err
	}
	subject, err := digest.Parse(of)
	if err != nil {
		return nil, catalog.Wrap(catalog.Invalid, err, "%q is no digest", of)
	}
	list := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	if list.Manifests, err = r.referrers(image.Ref, subject); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if wanted := req.URL.Query().Get("artifactType"); wanted != "" {
			list.Manifests = slices.DeleteFunc(list.Manifests, func(d ocispec.Descriptor) bool { return d.ArtifactType != wanted })
			w.Header().Set("OCI-Filters-Applied", "artifactType")
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		// A failed write is a client that went away.
		_ = json.NewEncoder(w).Encode(list)
	}), nil
}
