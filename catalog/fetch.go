package catalog

import (
	"context"
	"net/http"
)

// Remote is a git repository elsewhere and how it is reached.
type Remote struct {
	URL                string // http(s):// or ssh://
	Username, Password string // for http(s)
	HTTP               *http.Client
	PrivateKey         []byte // for ssh, PEM
	// KnownHosts is the file of host keys for ssh. A host that is not in it is
	// trusted at first sight and added; one with another key is refused.
	KnownHosts string
}

// RemoteRef is a branch or tag of a Remote.
type RemoteRef struct {
	Name   string // "refs/tags/v1.0"
	Object string // hex
	Commit string // hex: Object, or what the annotated tag names
}

// FetchRequest says what to bring. Zero limits are none.
type FetchRequest struct {
	From           Remote
	Object         string // hex, of one of its refs
	MaxPackBytes   int64
	MaxObjectBytes int64
	MaxObjects     int64
	// Arrived is asked before what was fetched, so many bytes, becomes part of the repository; release is called when it is. nil: it may.
	Arrived func(ctx context.Context, bytes int64) (release func(), err error)
}

// Fetcher brings sources from elsewhere into an image's repository. The git
// server implements it. Errors of a remote: Invalid (address), Unauthorized,
// NotFound, TooLarge, Unavailable.
type Fetcher interface {
	// RemoteRefs returns a remote's branches and tags by name.
	RemoteRefs(ctx context.Context, from Remote) ([]RemoteRef, error)
	// Fetch brings an object with its files, without older history where the
	// remote can leave it out, makes the repository when there is none, and
	// returns the commit. Nothing arrives when a check fails, or Arrived.
	Fetch(ctx context.Context, ref ImageRef, r FetchRequest) (commit string, err error)
	Differences
}
