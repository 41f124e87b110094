package egress

import (
	"net/http"
	"net/netip"
	"net/url"
)

// RefusedError is an address that builds are kept from.
type RefusedError struct{ netip.AddrPort }

func (e RefusedError) Error() string { return "builds may not connect to " + e.String() }

// Guard asks as builds do: by the proxy of the environment, which decides itself where it connects to, or directly,
// and then at no address that they are kept from, whatever a name resolves to or a redirect says.
type Guard struct{ guarded, open *http.Transport }

// NewGuard returns the guard for builds that are kept from what refuses reports true for; nil: from nothing.
// Where it refuses, the error of a request is a RefusedError.
func NewGuard(refuses func(netip.AddrPort) bool) Guard {
	g := Guard{open: newTransport(nil)}
	g.open.Proxy = http.ProxyFromEnvironment
	g.guarded = newTransport(func(to netip.AddrPort) error {
		if refuses != nil && refuses(to) {
			return RefusedError{to}
		}
		return nil
	})
	return g
}

// RoundTrip implements http.RoundTripper.
func (g Guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if proxy, err := g.open.Proxy(r); err == nil && proxy != nil {
		return g.open.RoundTrip(r)
	}
	return g.guarded.RoundTrip(r)
}

// Trusting returns a RoundTripper that asks at any address what has the origin of u, and is g for all else.
func (g Guard) Trusting(u *url.URL) http.RoundTripper { return trusting{Origin(u), g} }

type trusting struct {
	origin string
	guard  Guard
}

func (t trusting) RoundTrip(r *http.Request) (*http.Response, error) {
	if Origin(r.URL) == t.origin {
		return t.guard.open.RoundTrip(r)
	}
	return t.guard.RoundTrip(r)
}
