package buildkit

import (
	"context"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// publisher finishes the image that BuildKit pushed by digest: it dates it and
// puts it under its tag.
//
// BuildKit dates layers and the image alike and only ever makes times earlier,
// so a layer that was cached before the commit was made would keep its own time,
// and the digest would depend on the cache. All layers therefore carry one early
// time, by which they are also the same from commit to commit, and only the image's
// configuration is given the commit's time, here.
type publisher struct {
	tag     name.Tag
	created time.Time
	options []remote.Option
	size    int64            // bytes, of everything written or referred to so far
	counted map[v1.Hash]bool // blobs in size: manifests may share them
}

// publish returns the finished image, which is under the request's tag then.
func (s *Solver) publish(ctx context.Context, r builder.SolveRequest, digest string) (builder.SolveResult, error) {
	naming := []name.Option{name.StrictValidation}
	if s.cfg.PlainHTTP {
		naming = append(naming, name.Insecure)
	}
	tag, err := name.NewTag(r.Destination, naming...)
	if err != nil {
		return builder.SolveResult{}, err
	}
	options := []remote.Option{
		remote.WithContext(ctx), remote.WithTransport(s.cfg.Transport),
		remote.WithAuth(&authn.Basic{Username: r.Credential.Username, Password: r.Credential.Password}),
	}
	p := &publisher{tag: tag, created: r.Tree.CommitTime().UTC(), options: options, counted: map[v1.Hash]bool{}}
	pushed, err := remote.Get(tag.Digest(digest), options...)
	if err != nil {
		return builder.SolveResult{}, fmt.Errorf("read back what was pushed: %w", err)
	}
	var finished remote.Taggable
	if pushed.MediaType.IsIndex() {
		finished, err = p.index(pushed)
	} else {
		finished, err = p.image(pushed)
	}
	if err != nil {
		return builder.SolveResult{}, err
	}
	if err := remote.Put(tag, finished, options...); err != nil {
		return builder.SolveResult{}, fmt.Errorf("tag the image: %w", err)
	}
	hash, err := partial.Digest(finished.(partial.WithRawManifest))
	if err != nil {
		return builder.SolveResult{}, err
	}
	return builder.SolveResult{Digest: hash.String(), Size: p.size}, nil
}

// image returns a pushed image with its dates, whose configuration is stored.
func (p *publisher) image(pushed *remote.Descriptor) (v1.Image, error) {
	img, err := pushed.Image()
	if err != nil {
		return nil, err
	}
	if img, err = dated(img, p.created); err != nil {
		return nil, fmt.Errorf("date the image: %w", err)
	}
	config, err := partial.ConfigLayer(img)
	if err != nil {
		return nil, err
	}
	if err := remote.WriteLayer(p.tag.Repository, config, p.options...); err != nil {
		return nil, fmt.Errorf("store the image's configuration: %w", err)
	}
	return img, p.count(img)
}

// index does the same for every image of a multi-platform index.
func (p *publisher) index(pushed *remote.Descriptor) (v1.ImageIndex, error) {
	index, err := pushed.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	finished := mutate.IndexMediaType(empty.Index, manifest.MediaType)
	for _, child := range manifest.Manifests {
		one, err := remote.Get(p.tag.Digest(child.Digest.String()), p.options...)
		if err != nil {
			return nil, err
		}
		img, err := p.image(one)
		if err != nil {
			return nil, err
		}
		hash, err := img.Digest()
		if err != nil {
			return nil, err
		}
		if err := remote.Put(p.tag.Digest(hash.String()), img, p.options...); err != nil {
			return nil, err
		}
		finished = mutate.AppendManifests(finished, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: child.Platform, Annotations: child.Annotations},
		})
	}
	raw, err := finished.RawManifest()
	p.size += int64(len(raw))
	return finished, err
}

// count adds an image to the size: its manifest, configuration and layers.
func (p *publisher) count(img v1.Image) error {
	manifest, err := img.Manifest()
	if err != nil {
		return err
	}
	size, err := img.Size()
	if err != nil {
		return err
	}
	p.size += size
	for _, blob := range append(manifest.Layers, manifest.Config) {
		if !p.counted[blob.Digest] {
			p.counted[blob.Digest] = true
			p.size += blob.Size
		}
	}
	return nil
}

// dated gives an image, and those entries of its history that this build made,
// the time it was created. A base image's entries keep theirs.
func dated(img v1.Image, created time.Time) (v1.Image, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Created = v1.Time{Time: created}
	for i, entry := range config.History {
		if entry.Created.Equal(catalog.TreeTime) {
			config.History[i].Created = config.Created
		}
	}
	return mutate.ConfigFile(img, config)
}
