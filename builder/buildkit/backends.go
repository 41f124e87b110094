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

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"

	"github.com/fandoghpaas/fandogh/builder/workers"
	"github.com/fandoghpaas/fandogh/catalog"
)

// TLS names the PEM files for mutual TLS with BuildKit at tcp:// addresses.
type TLS struct {
	CA, Cert, Key string
	ServerName    string // empty: the address's host
}

// backends chooses among several BuildKits the one with the fewest solves of
// this process that answers.
type backends struct {
	addresses func() []string
	tls       TLS

	mu      sync.Mutex
	running map[string]int // solves by address
}

// acquire connects to a BuildKit. release must be called when the solve is over.
// A connection lives as long as one solve, so a restarted BuildKit is reached at
// once and not after gRPC's own back-off. Errors: Unavailable.
func (b *backends) acquire(ctx context.Context) (c *connection, release func(), err error) {
	candidates := b.byLoad()
	if len(candidates) == 0 {
		return nil, nil, catalog.Errorf(catalog.Unavailable, "no BuildKit address is configured")
	}
	var failures []error
	for _, address := range candidates {
		c, err := b.connect(ctx, address)
		if err == nil {
			b.count(address, +1)
			return c, func() { b.count(address, -1); _ = c.Close() }, nil
		}
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		failures = append(failures, fmt.Errorf("%s: %w", address, err))
	}
	return nil, nil, catalog.Wrap(catalog.Unavailable, errors.Join(failures...), "BuildKit is not responding")
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
	lost     atomic.Bool // BuildKit was reached, and then was not
	platform string      // of its machine, "linux/amd64"
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
	result := &connection{}
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
	if len(all[0].Platforms) > 0 {
		result.platform = platforms.Format(all[0].Platforms[0])
	}
	return result, nil
}
