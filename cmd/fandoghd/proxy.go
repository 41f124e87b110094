package main

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// behindProxies makes the address in X-Forwarded-For that of the client, when
// the request comes from a trusted proxy. Any client can write that header: only
// what trusted proxies added at its end is believed.
func behindProxies(trusted []netip.Prefix, next http.Handler) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	isTrusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err == nil && isTrusted(peer.Addr().Unmap()) {
			client := forwardedFor(r.Header.Values("X-Forwarded-For"), peer.Addr().Unmap(), isTrusted)
			r.RemoteAddr = netip.AddrPortFrom(client, peer.Port()).String()
		}
		next.ServeHTTP(w, r)
	})
}

// forwardedFor walks from the proxy that asks us back to the first address that
// is no trusted proxy's.
func forwardedFor(headers []string, peer netip.Addr, isTrusted func(netip.Addr) bool) netip.Addr {
	hops := strings.Split(strings.Join(headers, ","), ",")
	client := peer
	for _, hop := range slices.Backward(hops) {
		address, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		client = address.Unmap()
		if !isTrusted(client) {
			break
		}
	}
	return client
}
