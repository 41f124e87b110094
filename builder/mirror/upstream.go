package mirror

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteserrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	// answerTimeout bounds how long a registry may take for a manifest. keptTimeout does where there is an older
	// one: nobody should wait for a registry that is down when there is something to go on with.
	answerTimeout = time.Minute
	keptTimeout   = 8 * time.Second
	// restAfterFailure is how long a host that did not answer, or had too many requests, is not asked for what is kept,
	// and for the rest after the others.
	restAfterFailure = 30 * time.Second
	// maxRest bounds how long it is not asked when it says itself when to come again.
	maxRest = 10 * time.Minute
	// tokenTime is less than the minute for which tokens hold that don't say it.
	tokenTime = 50 * time.Second
)

// upstream is a mirror, or a registry itself.
type upstream struct {
	host docker.RegistryHost
	name string // for logs
	own  bool   // it is the registry itself
	now  func() time.Time
	http *http.Client

	mu    sync.Mutex
	until time.Time // when it may be asked again in its turn
	wish  time.Time // when it wants to be asked again
	// authorizer has the tokens, without credentials, since a time. It keeps errors, too, and tokens that don't
	// say how long they hold.
	authorizer docker.Authorizer
	since      time.Time
}

// docker.io is a name; its registry is elsewhere.
const dockerHub, dockerHubHost = "docker.io", "registry-1.docker.io"

func originOf(registry string, by http.RoundTripper, now func() time.Time) *upstream {
	host, scheme := registry, "https"
	if registry == dockerHub {
		host = dockerHubHost
	}
	if plain, err := docker.MatchLocalhost(host); err == nil && plain {
		scheme = "http" // as BuildKit does
	}
	u := newUpstream(&url.URL{Scheme: scheme, Host: host}, by, now)
	u.own = true
	return u
}

func newUpstream(u *url.URL, by http.RoundTripper, now func() time.Time) *upstream {
	made := &upstream{name: u.Host, now: now}
	made.http = &http.Client{Transport: hearing{made, by}}
	made.host = docker.RegistryHost{
		Client: made.http, Scheme: u.Scheme, Host: u.Host, Path: path.Join("/v2", u.Path),
		Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve,
	}
	return made
}

// resting reports whether it failed just now.
func (u *upstream) resting(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.until)
}

// note remembers how an answer came out.
func (u *upstream) note(err error, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.until = time.Time{}
	if v := verdictOf(err); v == failed || v == limited {
		u.until = now.Add(restAfterFailure)
		if u.wish.After(u.until) {
			u.until = u.wish
		}
	}
}

// hearing notes what a host says of when it wants to be asked again.
type hearing struct {
	*upstream
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (h hearing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := h.next.RoundTrip(r)
	if err == nil && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.wish = retryTime(resp.Header.Get("Retry-After"), h.now())
	}
	return resp, err
}

// retryTime reads a Retry-After, which is seconds or a date; what is not one is now.
func retryTime(text string, now time.Time) time.Time {
	at, err := http.ParseTime(text)
	if seconds, notSeconds := strconv.ParseUint(text, 10, 31); notSeconds == nil {
		at, err = now.Add(time.Duration(seconds)*time.Second), nil
	}
	if err != nil || at.Before(now) {
		return now
	}
	if latest := now.Add(maxRest); at.After(latest) {
		return latest
	}
	return at
}

func (u *upstream) resolver() remotes.Resolver {
	host := u.host
	host.Authorizer = u.tokens()
	return docker.NewResolver(docker.ResolverOptions{Hosts: func(string) ([]docker.RegistryHost, error) { return []docker.RegistryHost{host}, nil }})
}

// tokens returns the authorizer, a new one if the last is old.
func (u *upstream) tokens() docker.Authorizer {
	u.mu.Lock()
	defer u.mu.Unlock()
	if age := u.now().Sub(u.since); u.authorizer == nil || age >= tokenTime || age < 0 {
		u.authorizer, u.since = docker.NewDockerAuthorizer(docker.WithAuthClient(u.http)), u.now()
	}
	return u.authorizer
}

// dropTokens has them asked for again, after an error that may be of them.
func (u *upstream) dropTokens() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.authorizer = nil
}

// resolve asks what a reference is.
func (u *upstream) resolve(ctx context.Context, ref string) (ocispec.Descriptor, error) {
	_, d, err := u.resolver().Resolve(ctx, ref)
	if err != nil {
		u.dropTokens()
	}
	return d, err
}

// fetch begins to read content, which may have an unknown size; what goes wrong, the first Read may tell.
func (u *upstream) fetch(ctx context.Context, ref string, d ocispec.Descriptor) (io.ReadCloser, error) {
	fetcher, err := u.resolver().Fetcher(ctx, ref)
	if err != nil {
		return nil, err
	}
	if byDigest, ok := fetcher.(remotes.FetcherByDigest); ok && d.Size == unknown {
		content, _, err := byDigest.FetchByDigest(ctx, d.Digest, remotes.WithMediaType(d.MediaType))
		return content, err
	}
	return fetcher.Fetch(ctx, d)
}

// verdict is what an error of a registry means.
type verdict int

const (
	found   verdict = iota
	absent          // it is not there
	denied          // it is not for anyone
	limited         // too many requests
	failed          // no answer, or a fault of the registry
)

func verdictOf(err error) verdict {
	var status remoteserrors.ErrUnexpectedStatus
	switch {
	case err == nil:
		return found
	case errors.Is(err, docker.ErrInvalidAuthorization):
		return denied
	case errdefs.IsNotFound(err):
		return absent
	case !errors.As(err, &status):
		return failed
	}
	switch status.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return denied
	case http.StatusNotFound:
		return absent
	case http.StatusTooManyRequests:
		return limited
	}
	return failed
}

// statusOf is the status to answer for an error; 0: the registry gave none.
func statusOf(err error) int {
	var status remoteserrors.ErrUnexpectedStatus
	switch v := verdictOf(err); {
	case v == denied:
		return http.StatusForbidden // 401 would ask for the credential of the build, which was right
	case errors.As(err, &status):
		return status.StatusCode
	case v == absent:
		return http.StatusNotFound
	}
	return 0
}

// reference is what BuildKit asks about.
type reference struct {
	registry, repository string
	tag                  string        // empty for a digest
	digest               digest.Digest // empty for a tag
}

func (r reference) String() string {
	if r.digest != "" {
		return r.registry + "/" + r.repository + "@" + r.digest.String()
	}
	return r.registry + "/" + r.repository + ":" + r.tag
}
