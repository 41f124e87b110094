package export

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// earlier is an image of the same recipe in the same repository. What a build would make differs from it in what
// the image says of its commit alone.
type earlier struct {
	store    *Store
	puller   *remote.Puller
	ctx      context.Context
	metadata map[string][]byte // of the frontend, for this build
}

// PublishEarlier finishes the image that an earlier build made by the same recipe as if it had been built now: its
// layers stay, and date, labels and annotations are this build's. metadata is the frontend's, and root the digest of that image. Whatever fails, such as a
// layer that is gone, nothing is under the request's tag.
func (s *Store) PublishEarlier(ctx context.Context, created time.Time, root string, metadata map[string][]byte) (builder.SolveResult, error) {
	puller, err := remote.NewPuller(s.remoteOptions()...)
	if err != nil {
		return builder.SolveResult{}, err
	}
	if err := s.Describe(metadata); err != nil {
		return builder.SolveResult{}, err
	}
	p := newPublisher(ctx, created)
	p.earlier = &earlier{store: s, puller: puller, ctx: ctx, metadata: metadata}
	return p.publish(nil, []Part{{s, root}}) // its platforms are in order
}

func (e *earlier) manifest(hash string) ([]byte, error) {
	found, err := e.puller.Get(e.ctx, e.store.tag.Digest(hash))
	if err != nil {
		return nil, err
	}
	return found.Manifest, nil
}

// config returns the configuration with what the frontend gives it in place of what was made of that.
func (e *earlier) config(manifest *v1.Manifest, platform string) (*imageConfig, error) {
	if err := e.keepLayers(manifest); err != nil {
		return nil, err
	}
	text, err := e.blob(manifest.Config.Digest)
	if err != nil {
		return nil, err
	}
	config, err := parseConfig(text)
	if err != nil {
		return nil, err
	}
	asked, err := parseConfig(e.metadata[configKey(platform)])
	if err != nil {
		return nil, err
	}
	delete(config.fields, "config")
	if raw, ok := asked.fields["config"]; ok {
		config.fields["config"] = raw
	}
	return config, nil
}

// keepLayers has the registry keep the layers until the version is recorded. Its error is that one is not there.
func (e *earlier) keepLayers(manifest *v1.Manifest) error {
	group := errgroup.Group{}
	group.SetLimit(cap(e.store.slots))
	for _, layer := range manifest.Layers {
		group.Go(func() error {
			if !e.store.has(layer.Digest) {
				return fmt.Errorf("the registry does not have the layer %s", layer.Digest)
			}
			return nil
		})
	}
	return group.Wait()
}

func (e *earlier) blob(hash v1.Hash) ([]byte, error) {
	layer, err := e.puller.Layer(e.ctx, e.store.tag.Digest(hash.String()))
	if err != nil {
		return nil, err
	}
	text, err := layer.Compressed() // as it is
	if err != nil {
		return nil, err
	}
	defer text.Close() //nolint:errcheck // only read
	return bounded.ReadAll(text, maxDocument)
}
