package registry

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// maxConfig bounds an image's configuration, in bytes, and maxConfigValues what is in it: anyone who pushes writes it.
const (
	maxConfig       = 4 << 20
	maxConfigValues = 20_000
)

// Content reads what an image says about itself. Of an index it is the first
// image for a platform. Errors: NotFound, Invalid (it is no image we can read).
func (r *Registry) Content(ctx context.Context, ref catalog.ImageRef, manifest string) (api.ImageContent, error) {
	repository, err := r.repository(ctx, ref)
	if err != nil {
		return api.ImageContent{}, err
	}
	m, platforms, err := imageManifest(ctx, repository, digest.Digest(manifest))
	if err != nil {
		return api.ImageContent{}, unreadable(err, ref, manifest)
	}
	config, err := imageConfig(ctx, repository, m.Config.Digest)
	if err != nil {
		return api.ImageContent{}, unreadable(err, ref, manifest)
	}
	content := describe(m, config)
	if content.Platforms = platforms; len(platforms) == 0 && content.Platform != "" {
		content.Platforms = []string{content.Platform}
	}
	return content, nil
}

func unreadable(err error, ref catalog.ImageRef, manifest string) error {
	var unknown distribution.ErrManifestUnknownRevision
	if errors.As(err, &unknown) || errors.Is(err, distribution.ErrBlobUnknown) {
		return catalog.Wrap(catalog.NotFound, err, "the registry does not have image %s with digest %s", ref, manifest)
	}
	return catalog.Wrap(catalog.Invalid, err, "failed to read image %s with digest %s", ref, manifest)
}

var errNoImage = errors.New("the index has no image for any platform")

// imageManifest returns the manifest with the digest, or the first one that an
// index of that digest names for a platform, and all platforms that it names.
func imageManifest(ctx context.Context, repository distribution.Repository, d digest.Digest) (m ocispec.Manifest, platforms []string, err error) {
	either, err := readEither(ctx, repository, d)
	if err != nil || !either.isIndex() {
		return either.Manifest, nil, err
	}
	found, platforms, err := either.images()
	if err != nil {
		return m, nil, err
	}
	return m, platforms, readManifest(ctx, repository, found[0], &m)
}

// eitherManifest is a manifest or an index, which share no field but their media type.
type eitherManifest struct {
	ocispec.Manifest
	Manifests []ocispec.Descriptor `json:"manifests"`
}

func readEither(ctx context.Context, repository distribution.Repository, d digest.Digest) (e eitherManifest, err error) {
	return e, readManifest(ctx, repository, d, &e)
}

func (e eitherManifest) isIndex() bool { return len(e.Manifests) > 0 }

// images returns the manifests that an index names for a platform, with these platforms.
func (e eitherManifest) images() (found []digest.Digest, platforms []string, err error) {
	for _, candidate := range e.Manifests {
		// Attestations stand in an index for the platform "unknown".
		if candidate.Platform != nil && candidate.Platform.OS != "unknown" {
			found = append(found, candidate.Digest)
			platforms = append(platforms, platformName(candidate.Platform.OS, candidate.Platform.Architecture, candidate.Platform.Variant))
		}
	}
	if len(found) == 0 {
		return nil, nil, errNoImage
	}
	return found, platforms, nil
}

func readManifest(ctx context.Context, repository distribution.Repository, d digest.Digest, into any) error {
	manifests, err := repository.Manifests(ctx)
	if err != nil {
		return err
	}
	m, err := manifests.Get(ctx, d)
	if err != nil {
		return err
	}
	_, payload, err := m.Payload()
	if err != nil {
		return err
	}
	return json.Unmarshal(payload, into)
}

func imageConfig(ctx context.Context, repository distribution.Repository, d digest.Digest) (config ocispec.Image, err error) {
	data, err := configBlob(ctx, repository, d)
	if err != nil {
		return config, err
	}
	return config, json.Unmarshal(data, &config)
}

// configBlob reads a configuration. Errors: as smallBlob, *bounded.TooManyError.
func configBlob(ctx context.Context, repository distribution.Repository, d digest.Digest) ([]byte, error) {
	data, err := smallBlob(ctx, repository, d, maxConfig)
	if err == nil {
		err = bounded.CheckValues(data, maxConfigValues)
	}
	return data, err
}

// smallBlob reads a blob. Errors: distribution.ErrBlobUnknown, *bounded.TooLongError.
func smallBlob(ctx context.Context, repository distribution.Repository, d digest.Digest, limit int64) ([]byte, error) {
	blobs := repository.Blobs(ctx)
	stat, err := blobs.Stat(ctx, d)
	if err != nil {
		return nil, err
	}
	if stat.Size > limit {
		return nil, &bounded.TooLongError{Limit: limit}
	}
	return blobs.Get(ctx, d)
}

func describe(m ocispec.Manifest, config ocispec.Image) api.ImageContent {
	out := api.ImageContent{
		Platform: platformName(config.OS, config.Architecture, config.Variant), // none of a chart
		Layers:   []api.Layer{},
		History:  []api.HistoryEntry{},
		Config: api.ImageConfig{
			Env:          orEmpty(config.Config.Env),
			Cmd:          orEmpty(config.Config.Cmd),
			Entrypoint:   orEmpty(config.Config.Entrypoint),
			ExposedPorts: orEmpty(slices.Sorted(maps.Keys(config.Config.ExposedPorts))),
			User:         config.Config.User,
			WorkingDir:   config.Config.WorkingDir,
			Labels:       config.Config.Labels,
		},
	}
	if out.Config.Labels == nil {
		out.Config.Labels = map[string]string{}
	}
	for _, layer := range m.Layers {
		out.Layers = append(out.Layers, api.Layer{Digest: layer.Digest.String(), Size: layer.Size})
	}
	// The entries that are not empty made the layers, in order.
	next := 0
	for _, h := range config.History {
		entry := api.HistoryEntry{CreatedAt: timeOf(h.Created), CreatedBy: h.CreatedBy, Comment: h.Comment, EmptyLayer: h.EmptyLayer}
		if !h.EmptyLayer && next < len(out.Layers) {
			out.Layers[next].CreatedBy = h.CreatedBy
			entry.Size = out.Layers[next].Size
			next++
		}
		out.History = append(out.History, entry)
	}
	slices.Reverse(out.History)
	return out
}

// maxPlatformName bounds the name of a platform, in bytes: an image may say anything of itself.
const maxPlatformName = 200

func platformName(os, architecture, variant string) string {
	name := strings.Trim(os+"/"+architecture+"/"+variant, "/")
	return strings.ToValidUTF8(name[:min(len(name), maxPlatformName)], "")
}

func timeOf(t *time.Time) api.Time {
	if t == nil {
		return api.Time{}
	}
	return api.Time{Time: *t}
}

// orEmpty keeps null out of the JSON.
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
