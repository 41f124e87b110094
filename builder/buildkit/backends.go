package buildkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/moby/buildkit/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/builder/workers"
	"github.com/fandoghpaas/fandogh/catalog"
)

// TLS names the PEM files for mutual TLS with BuildKit at tcp:// addresses.
type TLS struct {
	CA, Cert, Key string
	ServerName    string // empty: the address's host
}

// backends chooses among several BuildKits: for each platform one that has it natively, else one that emulates it, and
// of those the one with the fewest solves of this process that answers.
type backends struct {
	addresses func() []string
	tls       TLS

	mu      sync.Mutex
	running map[string]int // solves by address
}

// acquire connects to the BuildKits of a build for some platforms, of which each gets a part; without any, to one
// for its own. release must be called when the solve is over.
// A connection lives as long as one solve, so a restarted BuildKit is reached at
// once and not after gRPC's own back-off. Errors: Unavailable.
func (b *backends) acquire(ctx context.Context, wanted []ocispecs.Platform) (parts []*part, release func(), err error) {
	reached, err := b.reach(ctx, wanted)
	if err != nil {
		return nil, nil, err
	}
	parts = divide(wanted, reached)
	for _, c := range reached {
		if slices.ContainsFunc(parts, func(p *part) bool { return p.connection == c }) {
			b.count(c.address, +1)
		} else {
			_ = c.Close()
		}
	}
	return parts, func() {
		for _, p := range parts {
			b.count(p.address, -1)
			_ = p.Close()
		}
	}, nil
}

// reach connects to BuildKits until each platform has one that has it natively, or all were tried.
func (b *backends) reach(ctx context.Context, wanted []ocispecs.Platform) (reached []*connection, err error) {
	candidates := b.byLoad()
	if len(candidates) == 0 {
		return nil, catalog.Errorf(catalog.Unavailable, "no BuildKit address is configured")
	}
	var failures []error
	for _, address := range candidates {
		if len(reached) > 0 && !slices.ContainsFunc(wanted, func(p ocispecs.Platform) bool {
			return !slices.ContainsFunc(reached, func(c *connection) bool { return c.support(p) == native })
		}) {
			break
		}
		c, err := b.connect(ctx, address)
		if err == nil {
			reached = append(reached, c)
			continue
		}
		if ctx.Err() != nil {
			for _, c := range reached {
				_ = c.Close()
			}
			return nil, ctx.Err()
		}
		failures = append(failures, fmt.Errorf("%s: %w", address, err))
	}
	if len(reached) == 0 {
		return nil, catalog.Wrap(catalog.Unavailable, errors.Join(failures...), "BuildKit is not responding")
	}
	for _, c := range reached {
		c.others = errors.Join(failures...)
	}
	return reached, nil
}

// part is what one BuildKit does of a build.
type part struct {
	*connection
	number    int
	platforms []ocispecs.Platform // none: BuildKit's own
}

// divide gives each platform to the BuildKit that supports it best; of equals, to one that has a part already.
func divide(wanted []ocispecs.Platform, reached []*connection) (parts []*part) {
	if len(wanted) == 0 {
		return []*part{{connection: reached[0]}}
	}
	for _, platform := range wanted {
		best := slices.MinFunc(reached, func(x, y *connection) int { return int(x.support(platform)) - int(y.support(platform)) })
		at := slices.IndexFunc(parts, func(p *part) bool { return p.support(platform) == best.support(platform) })
		if at < 0 {
			at = len(parts)
			parts = append(parts, &part{connection: best, number: at})
		}
		parts[at].platforms = append(parts[at].platforms, platform)
	}
	return parts
}

func (b *backends) byLoad() []string {
	addresses := slices.Clone(b.addresses())
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.SortStableFunc(addresses, func(x, y string) int { return b.running[x] - b.running[y] })
	return addresses
}

func (b *backends) count(address string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running[address] += n; b.running[address] == 0 {
		delete(b.running, address)
	}
}

// connection is a client of one BuildKit.
type connection struct {
	*client.Client
	address   string
	lost      atomic.Bool         // BuildKit was reached, and then was not
	platforms []ocispecs.Platform // that it names; its machine's is the first
	others    error               // why others were not reached; nil: all that were tried were
}

// dial reaches BuildKit and watches the connection: what its end fails looks like
// many other things in the errors that come of it.
func (c *connection) dial(ctx context.Context, address string) (net.Conn, error) {
	network, address, found := strings.Cut(address, "://")
	if !found {
		network, address = "tcp", network
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: conn, lost: &c.lost}, nil
}

type watchedConn struct {
	net.Conn
	lost *atomic.Bool
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.lost.Store(true)
	}
	return n, err
}

// connect returns a client of a BuildKit that has at least one worker.
func (b *backends) connect(ctx context.Context, address string) (*connection, error) {
	result := &connection{address: address}
	options := []client.ClientOpt{client.WithContextDialer(result.dial)}
	if strings.HasPrefix(address, "tcp://") && b.tls != (TLS{}) {
		if b.tls.Cert != "" || b.tls.Key != "" {
			options = append(options, client.WithCredentials(b.tls.Cert, b.tls.Key))
		}
		if b.tls.CA != "" {
			options = append(options, client.WithServerConfig(b.tls.ServerName, b.tls.CA))
		} else {
			options = append(options, client.WithServerConfigSystem(b.tls.ServerName))
		}
	}
	var err error
	if result.Client, err = client.New(ctx, address, options...); err != nil {
		return nil, err
	}
	all, err := workers.List(ctx, result.Client)
	if err != nil {
		return nil, errors.Join(err, result.Close())
	}
	result.platforms = all[0].Platforms
	return result, nil
}
