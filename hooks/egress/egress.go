// Package egress makes HTTP clients for addresses that users name. They can't
// be turned against the network the daemon stands in: the address that is
// really connected to is checked, after names were resolved.
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
)

// Policy says where a client may connect.
type Policy struct {
	// Origins are "scheme://host[:port]" that may be asked; a redirect to one
	// of them is followed, any other is an error. Nil: any origin, and no
	// redirect is followed.
	Origins []string
	// Private allows addresses that are not on the public Internet.
	Private bool
	// Timeout bounds a whole exchange; 0: none.
	Timeout time.Duration
}

// notPublic are the networks that netip has no word for. Each is one that
// reaches inside, or through which IPv6 names an IPv4 address.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// Public tells whether an address is one of the public Internet.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) })
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
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	if !p.Private {
		dialer.ControlContext = publicOnly
	}
	transport := &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 32, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: 60 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
	client := &http.Client{Transport: guard{p.Origins, transport}, Timeout: p.Timeout}
	if p.Origins == nil {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client
}

func publicOnly(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect to %q: %w", address, err)
	}
	if !Public(to.Addr()) {
		return catalog.Errorf(catalog.Forbidden, "%s is not an address of the public Internet; the operator of this installation has to allow it", to.Addr())
	}
	return nil
}

// guard refuses requests, redirected ones too, to other origins.
type guard struct {
	origins []string
	next    http.RoundTripper
}

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.origins != nil && !slices.Contains(g.origins, Origin(r.URL)) {
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper always closes it
		}
		return nil, catalog.Errorf(catalog.Forbidden, "%s was not asked: only %s may be", Origin(r.URL), strings.Join(g.origins, ", "))
	}
	return g.next.RoundTrip(r)
}
