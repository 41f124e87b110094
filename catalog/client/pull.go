package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// Descriptor names something in a registry.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations"`
}

// Repository is an image in the server's registry. What it returns is what the registry sent, unchecked.
type Repository struct{ pusher }

// Repository finds an image in the registry. It asks for the account, whose name the registry wants.
func (c *Client) Repository(ctx context.Context, image string) (*Repository, error) {
	if strings.ContainsAny(image, "/?#%") || strings.Trim(image, ".") == "" {
		return nil, fmt.Errorf("%q %w", image, ErrName)
	}
	account, err := c.Account(ctx)
	if err != nil {
		return nil, err
	}
	return &Repository{pusher{client: c, user: account.Username, repository: strings.ToLower(cmp.Or(c.namespace, account.Namespace) + "/" + image)}}, nil
}

// Name returns namespace/image, in lower case.
func (r *Repository) Name() string { return r.repository }

// What may be sent of a manifest, of a list of referrers and of what Small returns, in bytes.
const (
	maxManifest = 4 << 20
	maxSmall    = 16 << 20
)

// manifestTypes are those of images and of lists of them.
const manifestTypes = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, " +
	"application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"

// Manifest returns a manifest by a version or a digest.
func (r *Repository) Manifest(ctx context.Context, reference string) ([]byte, error) {
	if strings.ContainsAny(reference, "/?#%") || strings.Trim(reference, ".") == "" {
		return nil, fmt.Errorf("%q %w", reference, ErrName)
	}
	return r.small(ctx, "manifests", reference, maxManifest, func(req *http.Request) { req.Header.Set("Accept", manifestTypes) })
}

// Referrers lists the manifests that have another, by its digest, as their subject.
func (r *Repository) Referrers(ctx context.Context, digest string) ([]Descriptor, error) {
	body, err := r.small(ctx, "referrers", digest, maxManifest, nil)
	if err != nil {
		return nil, err
	}
	var list struct {
		Manifests []Descriptor `json:"manifests"`
	}
	return list.Manifests, json.Unmarshal(body, &list)
}

// Small returns a blob that is small.
func (r *Repository) Small(ctx context.Context, digest string) ([]byte, error) {
	return r.small(ctx, "blobs", digest, maxSmall, nil)
}

// Blob opens a blob of any size. The caller closes it.
func (r *Repository) Blob(ctx context.Context, digest string) (io.ReadCloser, error) {
	resp, err := r.do(ctx, http.MethodGet, r.url("blobs", digest), nil, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (r *Repository) small(ctx context.Context, kind, reference string, limit int64, prepare func(*http.Request)) (body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.client.pace.request)
	defer cancel()
	resp, err := r.do(ctx, http.MethodGet, r.url(kind, reference), nil, prepare)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	return bounded.ReadAll(resp.Body, limit)
}
