package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/internal/connlimit"
)

const (
	maxHeader = 64 << 10 // bytes of a request's header
	// A body must have come by bodyStart and, beyond that, at bodyRate bytes a second.
	bodyStart = 20 * time.Second
	bodyRate  = 1 << 10
)

// loopback is where proxies on this machine come from, with many clients behind them.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// limitedListener counts what it accepts.
type limitedListener struct {
	net.Listener
	limits *connlimit.Limits
	idle   time.Duration // that a client may leave a write waiting
	log    hclog.Logger
}

// Accept returns the next connection that there is a place for.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		admitted, dropped := l.limits.Admit(conn)
		if admitted == nil || dropped {
			l.log.Debug("too many connections; dropped one that was not logged in", "address", conn.RemoteAddr())
		}
		if admitted != nil {
			return &pacedConn{Conn: admitted, idle: l.idle}, nil
		}
		_ = conn.Close() // unused
	}
}

// pacedConn ends when its client does not take what is sent.
type pacedConn struct {
	*connlimit.Conn
	idle time.Duration
}

func (c *pacedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

type pacedConnKey struct{}

// pacedConnOf returns a connection that the server has, nil when it is not limited.
func pacedConnOf(conn net.Conn) *pacedConn {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	paced, _ := conn.(*pacedConn)
	return paced
}

// withConn puts a connection where requests over it find it.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, pacedConnKey{}, pacedConnOf(conn))
}

// noteState makes connections anonymous between requests.
func noteState(conn net.Conn, state http.ConnState) {
	if paced := pacedConnOf(conn); paced != nil && state == http.StateIdle {
		paced.Disown()
	}
}

// paced ends requests whose body comes too slowly.
func paced(idle time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			body := &pacedBody{ReadCloser: r.Body, control: http.NewResponseController(w), idle: idle, began: time.Now()}
			body.limit() // for what no handler reads
			r.Body = body
		}
		next.ServeHTTP(w, r)
	})
}

// pacedBody is a body that must come at some pace.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	began   time.Time

	mu     sync.Mutex
	read   int64
	latest time.Time // by which all must have come; zero: none
}

// EndBy has the body come until then, whatever its pace.
func (b *pacedBody) EndBy(latest time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.latest = latest
	return b.control.SetReadDeadline(latest)
}

// limit sets the time by which more must have come.
func (b *pacedBody) limit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := b.began.Add(bodyStart + time.Duration(b.read)*time.Second/bodyRate)
	if still := time.Now().Add(b.idle); still.Before(most) {
		most = still
	}
	if !b.latest.IsZero() && b.latest.Before(most) {
		most = b.latest
	}
	_ = b.control.SetReadDeadline(most) // fails with the connection alone
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.limit()
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	b.read += int64(n)
	b.mu.Unlock()
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{}) // the connection lives on
	}
	return n, err
}

// ownedBy are the accounts; who logs in over a connection owns it.
type ownedBy struct{ *account.Service }

// ByPassword is as the Service has it.
func (o ownedBy) ByPassword(ctx context.Context, from, name, secret string) (catalog.Identity, error) {
	id, err := o.Service.ByPassword(ctx, from, name, secret)
	return owned(ctx, id, err)
}

// ByToken is as the Service has it.
func (o ownedBy) ByToken(ctx context.Context, secret string) (catalog.Identity, error) {
	id, err := o.Service.ByToken(ctx, secret)
	return owned(ctx, id, err)
}

func owned(ctx context.Context, id catalog.Identity, err error) (catalog.Identity, error) {
	if err == nil {
		ownConn(ctx)
	}
	return id, err
}

// ownConn makes the connection of a request that of a user.
func ownConn(ctx context.Context) {
	if conn, _ := ctx.Value(pacedConnKey{}).(*pacedConn); conn != nil {
		conn.Own()
	}
}
