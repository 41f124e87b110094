package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
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
	// restAfterFailure is how long a host that did not answer, or had too many requests, is not asked for what is kept.
	restAfterFailure = 30 * time.Second
	idleConnections  = 8
)

// upstream is a mirror, or a registry itself.
type upstream struct {
	host docker.RegistryHost
	name string // for logs

	mu    sync.Mutex
	until time.Time // when it may be asked again for what is kept
}

// docker.io is a name; its registry is elsewhere.
const dockerHub, dockerHubHost = "docker.io", "registry-1.docker.io"

func originOf(registry string, client *http.Client) *upstream {
	host, scheme := registry, "https"
	if registry == dockerHub {
		host = dockerHubHost
	}
	if plain, err := docker.MatchLocalhost(host); err == nil && plain {
		scheme = "http" // as BuildKit does
	}
	return newUpstream(&url.URL{Scheme: scheme, Host: host}, client)
}

func mirrorOf(u *url.URL, client *http.Client) *upstream { return newUpstream(u, client) }

func newUpstream(u *url.URL, client *http.Client) *upstream {
	return &upstream{name: u.Host, host: docker.RegistryHost{
		Client: client, Scheme: u.Scheme, Host: u.Host, Path: path.Join("/v2", u.Path),
		Authorizer:   docker.NewDockerAuthorizer(docker.WithAuthClient(client)), // without credentials
		Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve,
	}}
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
	}
}

func (u *upstream) resolver() remotes.Resolver {
	return docker.NewResolver(docker.ResolverOptions{Hosts: func(string) ([]docker.RegistryHost, error) { return []docker.RegistryHost{u.host}, nil }})
}

// resolve asks what a reference is.
func (u *upstream) resolve(ctx context.Context, ref string) (ocispec.Descriptor, error) {
	_, d, err := u.resolver().Resolve(ctx, ref)
	return d, err
}

// fetch begins to read content; what goes wrong, the first Read tells.
func (u *upstream) fetch(ctx context.Context, ref string, d ocispec.Descriptor) (io.ReadCloser, error) {
	fetcher, err := u.resolver().Fetcher(ctx, ref)
	if err != nil {
		return nil, err
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

// newClient makes the client that asks registries. It connects to what the operator named, and to nothing
// else that builds may not reach, whatever a name resolves to or a redirect says.
func newClient(cfg Config) (*http.Client, error) {
	if cfg.Transport != nil {
		return &http.Client{Transport: cfg.Transport}, nil
	}
	g := guard{}
	for _, mirrors := range cfg.Mirrors {
		for _, address := range mirrors {
			u, err := url.Parse(address)
			if err != nil {
				return nil, fmt.Errorf("mirror %q: %w", address, err)
			}
			g.named = append(g.named, originName(u))
		}
	}
	dialer := net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	g.trusting = newTransport(dialer)
	g.trusting.Proxy = http.ProxyFromEnvironment
	if cfg.Refuses != nil {
		dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if cfg.Refuses(to) {
				return fmt.Errorf("builds may not connect to %s", to)
			}
			return nil
		}
	}
	g.guarded = newTransport(dialer)
	return &http.Client{Transport: g}, nil
}

func newTransport(dialer net.Dialer) *http.Transport {
	return &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: answerTimeout, MaxResponseHeaderBytes: 64 << 10,
		DisableCompression: true, // layers are compressed
	}
}

// guard lets requests to what the operator named, or by a proxy of the environment, reach any address.
type guard struct {
	named             []string // "scheme://host:port"
	trusting, guarded *http.Transport
}

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if slices.Contains(g.named, originName(r.URL)) {
		return g.trusting.RoundTrip(r)
	}
	if proxy, err := g.trusting.Proxy(r); err == nil && proxy != nil {
		return g.trusting.RoundTrip(r) // what it fetches, it decides
	}
	return g.guarded.RoundTrip(r)
}

func originName(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Port() == "" {
		host = net.JoinHostPort(strings.ToLower(u.Hostname()), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	return u.Scheme + "://" + host
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
