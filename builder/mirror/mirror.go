// Package mirror stands between BuildKit and other registries. BuildKit asks it, as a mirror on this machine, for what
// FROM, COPY --from and "# syntax=" name; it asks the mirrors that the operator configured, in their order, and then the
// registry itself, and keeps what it was given, so that builds go on when those are down or limit who asks.
//
// A Mirror is made by New, serves as an http.Handler from then on, and needs no end: what is being fetched at the end of the process
// is fetched again. All it keeps is below one directory, which may be removed while it does not run.
//
// What always holds: it asks without credentials, so what it keeps anyone could have had; what is not for anyone, BuildKit gets
// from the registry itself, with the credentials of the build. A registry that says that a repository is not for anyone any
// more ends all that is kept of it. Content is served under the digest that it has, and never whole under another. A tag is as old as Config.Recheck
// at most, while its registry answers. What is kept takes Config.MaxBytes at most, beside what is being fetched.
package mirror

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/singleflight"

	"github.com/fandoghpaas/fandogh/internal/egress"
)

// Config is what New needs.
type Config struct {
	Dir string // of what is kept; made when missing
	// Registries are the hosts whose images are kept: "docker.io", "ghcr.io". For others that Mirrors names, the mirrors
	// alone are asked.
	Registries []string
	// Mirrors are, for a registry's host, base URLs that are asked before it: "https://mirror.example.com". A path stands before the
	// repository's name.
	Mirrors   map[string][]string
	MaxBytes  int64         // of what is kept; 0: nothing is
	LeaveFree int64         // bytes of the disk; for want of them nothing more is kept
	Recheck   time.Duration // after which a tag is asked for again
	// Refuses reports whether an address may not be asked; nil: all may. It does not hold for the hosts of Mirrors, nor for the
	// proxies of the environment.
	Refuses func(netip.AddrPort) bool
	// Authorize tells the namespace that builds by a credential; false: it is none of a running build. Content for one namespace
	// alone would be kept by it.
	Authorize func(username, password string) (namespace string, ok bool)
	Transport http.RoundTripper // to registries, for tests; nil: the guarded one
	Now       func() time.Time  // nil: time.Now
	Logger    hclog.Logger
}

// Mirror is the http.Handler for what BuildKit asks of other registries.
type Mirror struct {
	cfg    Config
	log    hclog.Logger
	now    func() time.Time
	hosts  map[string][]*upstream // by registry, in the order in which they are asked
	store  *store                 // nil: nothing is kept
	asking singleflight.Group     // manifests that are asked for

	mu        sync.Mutex
	downloads map[string]*download // that run, by registry, repository and digest
}

// New opens what is kept.
func New(cfg Config) (*Mirror, error) {
	if cfg.Authorize == nil {
		return nil, errors.New("mirror: Config.Authorize is missing")
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &Mirror{cfg: cfg, log: cfg.Logger, now: cfg.Now, hosts: map[string][]*upstream{}, downloads: map[string]*download{}}
	guard := egress.NewGuard(cfg.Refuses)
	for _, registry := range Mirrored(cfg) {
		for _, address := range cfg.Mirrors[registry] {
			u, err := url.Parse(address)
			if err != nil {
				return nil, err
			}
			m.hosts[registry] = append(m.hosts[registry], newUpstream(u, cmp.Or(cfg.Transport, guard.Trusting(u)), m.now))
		}
		m.hosts[registry] = append(m.hosts[registry], originOf(registry, cmp.Or[http.RoundTripper](cfg.Transport, guard), m.now))
	}
	if cfg.MaxBytes == 0 {
		return m, errors.Join(os.RemoveAll(cfg.Dir))
	}
	var err error
	m.store, err = openStore(cfg)
	return m, err
}

// Mirrored lists the hosts of the registries that a Mirror of this configuration serves.
func Mirrored(cfg Config) []string {
	var hosts []string
	if cfg.MaxBytes > 0 {
		hosts = append(hosts, cfg.Registries...)
	}
	for host, mirrors := range cfg.Mirrors {
		if len(mirrors) > 0 {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// inTurn lists who is asked for a registry's content: who failed just now comes last.
func (m *Mirror) inTurn(registry string) []*upstream {
	var ready, resting []*upstream
	for _, u := range m.hosts[registry] {
		if u.resting(m.now()) {
			resting = append(resting, u)
		} else {
			ready = append(ready, u)
		}
	}
	return append(ready, resting...)
}

// Serves reports whether it is asked for a registry's images.
func (m *Mirror) Serves(registry string) bool { return m.hosts[registry] != nil }

// keeps reports whether a registry's images are kept.
func (m *Mirror) keeps(registry string) bool {
	return m.store != nil && slices.Contains(m.cfg.Registries, registry)
}
