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
)

// Limits bound what Files reads and keeps.
type Limits struct {
	imagediff.Limits               // of one layer
	Layer            time.Duration // that reading one may take
	Image            int           // bytes for what an image's layers have together
	Kept             int           // bytes for layers and images that were read
	Waiting          int           // layers that are asked for at once
	Patience         time.Duration // that one who asks waits for layers that are being read
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
	turn    chan struct{} // holds a token while a layer is read
	waiting chan struct{} // and one for each layer that waits for that, too
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
	return &Files{config: c, kept: newCache(c.Limits.Kept), turn: make(chan struct{}, 1), waiting: make(chan struct{}, c.Limits.Waiting), ctx: ctx, stop: stop}
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
	images, err := f.config.Images.PlatformImages(ctx, ref, digest)
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

// whole returns an image's files as its layers make them.
func (f *Files) whole(ctx context.Context, ref catalog.ImageRef, image catalog.PlatformImage) (*tree, error) {
	key := "image " + ref.Repository() + " " + image.Manifest
	if known, ok := f.kept.get(key); ok {
		return known.(*tree), nil
	}
	layers := make([][]imagediff.File, len(image.Layers))
	cost := 0
	for i, digest := range image.Layers {
		layer, err := f.layer(ctx, ref, digest)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		if cost += layer.cost; cost > f.config.Limits.Image {
			return nil, catalog.Errorf(catalog.Invalid, "the image has more files than can be listed")
		}
		layers[i] = layer.files
	}
	made, err := merge(ctx, layers)
	if err != nil {
		return nil, err
	}
	f.kept.put(key, made, made.cost())
	return made, nil
}

// layer is what one has.
type layer struct {
	files []imagediff.File
	cost  int
}

// layer returns what a layer has, which is read by itself: who asks may leave meanwhile, and find it when they ask again.
func (f *Files) layer(ctx context.Context, ref catalog.ImageRef, digest string) (*layer, error) {
	// By the image, too: what another image has under a digest is none of this one's users' business.
	key := "layer " + ref.Repository() + " " + digest
	if known, ok := f.kept.get(key); ok {
		return known.(*layer), nil
	}
	patience, cancel := context.WithTimeout(ctx, f.config.Limits.Patience)
	defer cancel()
	done := f.reading.DoChan(key, func() (any, error) { return f.read(ref, digest, key) })
	select {
	case result := <-done:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*layer), nil
	case <-patience.Done():
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errBusy
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
	select {
	case f.waiting <- struct{}{}:
		defer func() { <-f.waiting }()
	default:
		return nil, errBusy
	}
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-f.ctx.Done():
		return nil, errBusy
	}
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

// cache keeps what was used last, up to a bound. Values must never change.
type cache struct {
	mu     sync.Mutex
	limit  int
	held   int
	values map[string]*kept
	order  []string // the longest unused first
}

type kept struct {
	value any
	cost  int
}

func newCache(limit int) *cache { return &cache{limit: limit, values: map[string]*kept{}} }

func (c *cache) get(name string) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.values[name]
	if found == nil {
		return nil, false
	}
	c.touch(name)
	return found.value, true
}

func (c *cache) put(name string, value any, cost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const least = 1000 // an empty layer takes something, too
	if c.values[name] != nil || cost > c.limit {
		return
	}
	c.values[name] = &kept{value, cost + least}
	c.held += cost + least
	c.order = append(c.order, name)
	for c.held > c.limit && len(c.order) > 1 {
		c.held -= c.values[c.order[0]].cost
		delete(c.values, c.order[0])
		c.order = c.order[1:]
	}
}

// touch makes a name the last that was used. mu is held.
func (c *cache) touch(name string) {
	for i, other := range c.order {
		if other == name {
			c.order = append(append(c.order[:i:i], c.order[i+1:]...), name)
			return
		}
	}
}
