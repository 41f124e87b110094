package egress

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"
)

// counting is a server that counts what it is asked, and redirects to another where it has one.
type counting struct {
	*httptest.Server
	asked atomic.Int32
	next  string
}

func newCounting(t *testing.T, next string) *counting {
	t.Helper()
	c := &counting{next: next}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		if c.next != "" {
			http.Redirect(w, r, c.next, http.StatusFound)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *counting) url() *url.URL {
	u, _ := url.Parse(c.URL) // of a server that runs
	return u
}

func TestGuard(t *testing.T) {
	kept := newCounting(t, "")
	leading := newCounting(t, kept.URL)
	proxy := newCounting(t, "")
	_, port, err := net.SplitHostPort(kept.url().Host)
	if err != nil {
		t.Fatal(err)
	}
	refuses := func(to netip.AddrPort) bool {
		if to.Addr().Is4In6() {
			t.Errorf("asked about %s", to)
		}
		return to.String() == kept.url().Host
	}
	guard := NewGuard(refuses)
	// The environment's proxy is read once for a process, and never for this machine.
	guard.open.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Host == "proxied.test" {
			return proxy.url(), nil
		}
		return nil, nil //nolint:nilnil // as ProxyFromEnvironment says that there is none
	}
	for _, test := range []struct {
		what    string
		by      http.RoundTripper
		url     string
		refused bool
	}{
		{"an address", guard, kept.URL, true},
		{"the same in IPv6", guard, "http://[::ffff:127.0.0.1]:" + port, true},
		{"a redirect to it", guard, leading.URL, true},
		{"nothing refused", NewGuard(nil), kept.URL, false},
		{"trusted", guard.Trusting(kept.url()), kept.URL, false},
		{"another is trusted", guard.Trusting(leading.url()), kept.URL, true},
		{"a redirect from what is trusted", guard.Trusting(leading.url()), leading.URL, true},
		{"by the proxy", guard, "http://proxied.test/", false},
		{"by the proxy, trusted", guard.Trusting(&url.URL{Scheme: "http", Host: "proxied.test:80"}), "http://proxied.test/", false},
	} {
		kept.asked.Store(0)
		response, err := (&http.Client{Transport: test.by}).Get(test.url)
		if err == nil {
			_ = response.Body.Close() // nothing was read
		}
		var refused RefusedError
		if errors.As(err, &refused) != test.refused || !test.refused && err != nil {
			t.Errorf("%s: %v", test.what, err)
		}
		if test.refused && kept.asked.Load() != 0 {
			t.Errorf("%s: the request arrived", test.what)
		}
	}
	if proxy.asked.Load() != 2 {
		t.Errorf("the proxy was asked %d times", proxy.asked.Load())
	}
}
