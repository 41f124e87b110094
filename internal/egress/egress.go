// Package egress makes HTTP clients for addresses that users name. They can't
// be turned against the network the daemon stands in: the address that is
// really connected to is checked, after names were resolved. Client is for
// what the daemon does for users, Guard for what it does as their builds would.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/reserved"
)

// Policy says where a client may connect.
type Policy struct {
	// Origins are "scheme://host[:port]" that may be asked; a redirect to one
	// of them is followed, any other is an error. Nil: any origin, and no
	// redirect is followed.
	Origins []string
	// Private allows addresses that are not on the public Internet, and this machine's own.
	Private bool
	// Allow reports whether such an address may be reached although Private is not set; nil: none may.
	Allow func(netip.AddrPort) bool
	// Timeout bounds a whole exchange; 0: none.
	Timeout time.Duration
}

// Origin returns a URL's scheme and host in lower case, without the port that
// the scheme implies.
func Origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	for _, port := range []struct{ scheme, suffix string }{{"https", ":443"}, {"http", ":80"}} {
		if scheme == port.scheme {
			host = strings.TrimSuffix(host, port.suffix)
		}
	}
	return scheme + "://" + host
}

// Client returns a client that keeps to the policy. It uses no proxy.
func Client(p Policy) *http.Client {
	check := p.publicOnly
	if p.Private {
		check = nil
	}
	client := &http.Client{Transport: within{p.Origins, newTransport(check)}, Timeout: p.Timeout}
	if p.Origins == nil {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client
}

// newTransport returns a transport that connects to what check, if there is one, has no error for. It is asked by IPv4
// address where one of IPv6 stands for that.
func newTransport(check func(netip.AddrPort) error) *http.Transport {
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	if check != nil {
		dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("connect to %q: %w", address, err)
			}
			return check(netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
		}
	}
	return &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 32, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		DisableCompression: true, // what is large, as layers and packs, is compressed
	}
}

func (p Policy) publicOnly(to netip.AddrPort) error {
	if p.Allow != nil && p.Allow(to) {
		return nil
	}
	if reserved.Contain(to.Addr()) {
		return catalog.Errorf(catalog.Forbidden, "%s is not an address on the public Internet; ask the server's administrator to allow it", to.Addr())
	}
	own, err := isOwn(to.Addr())
	if err != nil {
		return err
	}
	if own {
		return catalog.Errorf(catalog.Forbidden, "%s is this server itself; ask the server's administrator to allow it", to.Addr())
	}
	return nil
}

// isOwn reports whether an address is one of this machine, which it has now. What goes there
// meets no firewall.
func isOwn(a netip.Addr) (bool, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false, fmt.Errorf("list this machine's addresses: %w", err)
	}
	return slices.ContainsFunc(addresses, func(own net.Addr) bool {
		prefix, err := netip.ParsePrefix(own.String())
		return err == nil && prefix.Addr().Unmap() == a.WithZone("")
	}), nil
}

// within refuses requests, redirected ones too, to other origins.
type within struct {
	origins []string
	next    http.RoundTripper
}

func (g within) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.origins != nil && !slices.Contains(g.origins, Origin(r.URL)) {
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper always closes it
		}
		return nil, catalog.Errorf(catalog.Forbidden, "request to %s refused: only %s is allowed", Origin(r.URL), strings.Join(g.origins, ", "))
	}
	return g.next.RoundTrip(r)
}
