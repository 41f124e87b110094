package buildkit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxManifestBytes is the limit that registries set themselves.
const maxManifestBytes = 4 << 20

// document is a manifest or an index: the fields that both can have.
type document struct {
	Config    *ocispec.Descriptor  `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
	Manifests []ocispec.Descriptor `json:"manifests"`
}

// imageSize adds up what an image takes in the registry: the document at the
// digest, and its config and layers or, for an index, its manifests likewise.
// Blobs that several manifests share count once. No blob is fetched.
func (s *Solver) imageSize(ctx context.Context, r builder.SolveRequest, dgst string) (int64, error) {
	repository, ok := strings.CutPrefix(r.Destination, s.cfg.RegistryHost+"/")
	if !ok {
		return 0, fmt.Errorf("destination %q is not in the registry at %s", r.Destination, s.cfg.RegistryHost)
	}
	if i := strings.LastIndex(repository, ":"); i >= 0 {
		repository = repository[:i]
	}
	counted := map[digest.Digest]bool{}
	var add func(d digest.Digest) (int64, error)
	add = func(d digest.Digest) (int64, error) {
		raw, err := s.fetchManifest(ctx, r.Credential, repository, d)
		if err != nil {
			return 0, err
		}
		var doc document
		if err := json.Unmarshal(raw, &doc); err != nil {
			return 0, fmt.Errorf("manifest %s: %w", d, err)
		}
		total := int64(len(raw))
		blobs := doc.Layers
		if doc.Config != nil {
			blobs = append(blobs, *doc.Config)
		}
		for _, blob := range blobs {
			if !counted[blob.Digest] {
				counted[blob.Digest] = true
				total += blob.Size
			}
		}
		for _, manifest := range doc.Manifests {
			size, err := add(manifest.Digest)
			if err != nil {
				return 0, err
			}
			total += size
		}
		return total, nil
	}
	return add(digest.Digest(dgst))
}

func (s *Solver) fetchManifest(ctx context.Context, credential builder.Credential, repository string, d digest.Digest) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	scheme := "https"
	if s.cfg.PlainHTTP {
		scheme = "http"
	}
	url := fmt.Sprintf("%s://%s/v2/%s/manifests/%s", scheme, s.cfg.RegistryHost, repository, d)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", strings.Join([]string{
		ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex,
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	}, ", "))
	request.SetBasicAuth(credential.Username, credential.Password)
	response, err := s.cfg.HTTPClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // nothing is lost of what was only read
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxManifestBytes))
}
