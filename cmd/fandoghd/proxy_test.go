package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestBehindProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, tt := range []struct {
		peer    string
		headers []string
		want    string
	}{
		{"192.0.2.1:5", []string{"203.0.113.9"}, "192.0.2.1:5"}, // written by the client itself
		{"10.0.0.1:5", []string{"203.0.113.9"}, "203.0.113.9:5"},
		{"[::ffff:10.0.0.1]:5", []string{"203.0.113.9"}, "203.0.113.9:5"},
		{"[::1]:5", []string{"2001:db8::7"}, "[2001:db8::7]:5"},
		{"10.0.0.1:5", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9:5"}, // the client's own comes first
		{"10.0.0.1:5", []string{"1.1.1.1, 203.0.113.9", "10.0.0.2"}, "203.0.113.9:5"},
		{"10.0.0.1:5", []string{"1.1.1.1, unknown"}, "10.0.0.1:5"},
		{"10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3:5"},
		{"10.0.0.1:5", nil, "10.0.0.1:5"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		for _, h := range tt.headers {
			r.Header.Add("X-Forwarded-For", h)
		}
		var got string
		behindProxies(trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).ServeHTTP(nil, r)
		if got != tt.want {
			t.Errorf("from %s with %q: %s, want %s", tt.peer, tt.headers, got, tt.want)
		}
	}
}
