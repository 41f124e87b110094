// Package imagefiles lists the files of images, directory by directory, and what two images do not have in common. Layers may be anything:
// they are read within limits (package imagediff), one at a time, and what is known of them is kept in memory up to a bound.
package imagefiles

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/singleflight"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/imagediff"
	"github.com/fandoghpaas/fandogh/internal/turns"
)

// Limits bound what Files reads and keeps.
type Limits struct {
	imagediff.Limits               // of one layer
	Layer            time.Duration // that reading one may take
	Image            int           // bytes for what an image's layers have together
	Kept             int           // bytes for layers and images that were read
	Waiting          int           // layers of one namespace that are asked for at once
	Patience         time.Duration // that one who asks waits for what is being read
}

// DefaultLimits are more than ordinary images need.
var DefaultLimits = Limits{
	Limits: imagediff.Limits{Unpacked: 32 << 30, Held: 64 << 20}, Layer: 3 * time.Minute, Image: 128 << 20, Kept: 256 << 20, Waiting: 64, Patience: 8 * time.Second,
}

// Config is what New needs.
type Config struct {
	Images catalog.ImageContents
	Limits Limits // the zero value means DefaultLimits
	Logger hclog.Logger
}

// Files implements catalog.ImageFiles. It is safe for concurrent use.
type Files struct {
	config  Config
	kept    *cache
	reading singleflight.Group
	layers  *turns.Turns // to read a layer
	trees   *turns.Turns // to make a tree of layers
	indexes *turns.Turns // to find out which layers an image has
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

var _ catalog.ImageFiles = (*Files)(nil)

// New returns a Files; Close ends what it does.
func New(c Config) *Files {
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Files{config: c, kept: newCache(c.Limits.Kept), layers: turns.New(1, c.Limits.Waiting), trees: turns.New(1, 0), indexes: turns.New(2, 0), ctx: ctx, stop: stop}
}

// Close ends what is being read, and waits for it.
func (f *Files) Close() error {
	f.stop()
	f.running.Wait()
	return nil
}

var errBusy = catalog.Errorf(catalog.Unavailable, "the layers of this image are being read; try again in a moment")

// image finds an image's layers for a platform, and all platforms.
func (f *Files) image(ctx context.Context, ref catalog.ImageRef, digest, platform string) (found catalog.PlatformImage, all []string, err error) {
	images, err := f.platforms(ctx, ref, digest)
	if err != nil {
		return found, nil, err
	}
	for i := len(images) - 1; i >= 0; i-- {
		all = append([]string{images[i].Platform}, all...)
		if platform == "" || images[i].Platform == platform {
			found = images[i]
		}
	}
	if found.Manifest == "" {
		return found, nil, catalog.Errorf(catalog.NotFound, "image %s with digest %s is not for platform %q", ref, digest, platform)
	}
	return found, all, nil
}

// platforms returns what an index or an image leads to, without configurations, which may be large: few are read at a time.
func (f *Files) platforms(ctx context.Context, ref catalog.ImageRef, digest string) ([]catalog.PlatformImage, error) {
	key := "platforms " + ref.Repository() + " " + digest
	if known, ok := f.kept.get(key); ok {
		return known.([]catalog.PlatformImage), nil
	}
	release, err := f.indexes.Take(ctx, ref.Namespace)
	if err != nil {
		return nil, err
	}
	defer release()
	if known, ok := f.kept.get(key); ok {
		return known.([]catalog.PlatformImage), nil
	}
	images, err := f.config.Images.PlatformImages(ctx, ref, digest)
	if err != nil {
		return nil, err
	}
	const digestCost = 100
	cost := 0
	for i := range images {
		images[i].Config = nil
		cost += digestCost * (1 + len(images[i].Layers))
	}
	f.kept.put(key, images, cost)
	return images, nil
}

// whole returns an image's files as its layers make them.
func (f *Files) whole(ctx context.Context, ref catalog.ImageRef, image catalog.PlatformImage) (*tree, error) {
	return f.tree(ctx, ref, "image "+ref.Repository()+" "+image.Manifest, image.Layers, func(layers [][]imagediff.File) (*tree, error) {
		return merge(ctx, layers)
	})
}

// alone returns what a layer brings by itself, with what it says is gone.
func (f *Files) alone(ctx context.Context, ref catalog.ImageRef, digest string, at int) (*tree, error) {
	key := fmt.Sprintf("layer %d %s %s", at, ref.Repository(), digest)
	return f.tree(ctx, ref, key, []string{digest}, func(layers [][]imagediff.File) (*tree, error) { return ofLayer(layers[0], at), nil })
}

// tree returns what is kept under a key, or makes it of layers. However many ask, one is made at a time, of layers that are held by nobody
// meanwhile: when others came in their place, they are read again.
func (f *Files) tree(ctx context.Context, ref catalog.ImageRef, key string, digests []string, of func([][]imagediff.File) (*tree, error)) (*tree, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.config.Limits.Patience, errBusy)
	defer cancel()
	for {
		if known, ok := f.kept.get(key); ok {
			return known.(*tree), nil
		}
		cost := 0
		for i, digest := range digests {
			layer, err := f.layer(ctx, ref, digest)
			if err != nil {
				return nil, fmt.Errorf("layer %d: %w", i+1, err)
			}
			if cost += layer.cost; cost > f.config.Limits.Image {
				return nil, catalog.Errorf(catalog.Invalid, "the image has more files than can be listed")
			}
		}
		if made, err := f.make(ctx, ref, key, digests, of); made != nil || err != nil {
			return made, err
		}
	}
}

// make makes a tree of layers that are kept, when it is its turn; nil: not all are.
func (f *Files) make(ctx context.Context, ref catalog.ImageRef, key string, digests []string, of func([][]imagediff.File) (*tree, error)) (*tree, error) {
	release, err := f.trees.Take(ctx, ref.Namespace)
	if err != nil {
		return nil, err
	}
	defer release()
	if known, ok := f.kept.get(key); ok {
		return known.(*tree), nil
	}
	var layers [][]imagediff.File
	cost := 0
	for _, digest := range digests {
		known, ok := f.kept.get(layerKey(ref, digest))
		if !ok {
			return nil, nil
		}
		layers = append(layers, known.(*layer).files)
		cost += known.(*layer).cost
	}
	made, err := of(layers)
	if err == nil {
		f.kept.put(key, made, cost+made.cost())
	}
	return made, err
}

// layer is what one has.
type layer struct {
	files []imagediff.File
	cost  int
}

// layerKey has the image, too: what another image has under a digest is none of this one's users' business.
func layerKey(ref catalog.ImageRef, digest string) string {
	return "layer " + ref.Repository() + " " + digest
}

// layer returns what a layer has, which is read by itself: who asks may leave meanwhile, and find it when they ask again.
func (f *Files) layer(ctx context.Context, ref catalog.ImageRef, digest string) (*layer, error) {
	key := layerKey(ref, digest)
	if known, ok := f.kept.get(key); ok {
		return known.(*layer), nil
	}
	done := f.reading.DoChan(key, func() (any, error) { return f.read(ref, digest, key) })
	select {
	case result := <-done:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*layer), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// read reads a layer and keeps what it has under a key.
func (f *Files) read(ref catalog.ImageRef, digest, key string) (_ *layer, err error) {
	f.running.Add(1)
	defer f.running.Done()
	defer func() {
		if fault := recover(); fault != nil { // of a decoder; one layer's fault must not end the others' work
			err = catalog.Errorf(catalog.Invalid, "a layer can't be read")
			f.config.Logger.Error("failed to read a layer", "image", ref, "layer", digest, "panic", fault)
		}
	}()
	release, err := f.layers.Take(f.ctx, ref.Namespace)
	if err != nil {
		return nil, errBusy
	}
	defer release()
	tooLong := catalog.Errorf(catalog.Invalid, "the layer takes more than %s to read", f.config.Limits.Layer)
	ctx, cancel := context.WithTimeoutCause(f.ctx, f.config.Limits.Layer, tooLong)
	defer cancel()
	stored, err := f.config.Images.OpenLayer(ctx, ref, digest)
	if err != nil {
		return nil, err
	}
	defer stored.Close() //nolint:errcheck // only read
	files, err := imagediff.List(ctx, stored, f.config.Limits.Limits)
	switch {
	case f.ctx.Err() != nil:
		return nil, errBusy
	case ctx.Err() != nil:
		return nil, tooLong
	case errors.As(err, new(*imagediff.LayerError)):
		return nil, catalog.Errorf(catalog.Invalid, "%v", err)
	case err != nil:
		return nil, err
	}
	made := &layer{files: files}
	for _, file := range files {
		made.cost += file.Cost()
	}
	f.kept.put(key, made, made.cost)
	return made, nil
}
