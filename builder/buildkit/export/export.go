// Package export stores what BuildKit has built in a registry.
//
// A Solver has one Exporter, which remembers what became of layers and bounds how many are on their way at once.
// Each solve has a Store of it: the content store that BuildKit exports an image to, layer by layer and
// uncompressed. Layers go on to the registry while they come, dated and compressed, once; layers that are made
// without BuildKit come by Add. Describe says what the image is made FROM before BuildKit exports, and
// Publish finishes it: configuration, manifest, tag.
//
// The same commit gives the same bytes, whatever the machine, the cache and the tag: times follow from
// contents, or from the commit. What is remembered saves time and decides nothing: a layer that was forgotten is made
// again, to the same bytes. Nothing is told of as published before the registry has all of it.
package export

import (
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
)

// Config says how to reach the registry.
type Config struct {
	PlainHTTP   bool              // the registry does not speak TLS
	Transport   http.RoundTripper // to the registry
	Compression string            // of new layers, Gzip or Zstd
}

// Exporter makes Stores that share what they know. It is safe for concurrent use.
type Exporter struct {
	plainHTTP   bool
	transport   http.RoundTripper
	compression compression
	known       *knownLayers
	slots       chan struct{} // one for each layer that is on its way now
}

// New checks the configuration.
func New(cfg Config) (*Exporter, error) {
	compression, ok := compressions[cfg.Compression]
	if !ok {
		return nil, fmt.Errorf("compression %q is neither gzip nor zstd", cfg.Compression)
	}
	return &Exporter{
		plainHTTP: cfg.PlainHTTP, transport: cfg.Transport, compression: compression,
		known: newKnownLayers(), slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
	}, nil
}

// Image is an image that is to be stored.
type Image struct {
	Destination string // registry, repository and tag
	Credential  builder.Credential
	Dated       time.Time // of all files in new layers; zero: what follows from their contents
	// Labels are given to the image where its Dockerfile does not set them; what it has of its base image is no
	// word on it.
	Labels      map[string]string
	Annotations map[string]string // of its manifest, and of the index that lists it
	Anew        bool              // no layer is taken for known by what became of it in an earlier build
}
