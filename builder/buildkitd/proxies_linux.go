package buildkitd

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// proxyVariables are what BuildKit and git take their proxies from.
var proxyVariables = []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"}

// proxyPorts are those that schemes of proxies imply. One that is spoken to by TLS is reached by its
// name, which its certificate has, and thus without a relay.
var proxyPorts = map[string]string{"http": "80", "socks5": "1080", "socks5h": "1080"}

// relayProxies returns relays to the proxies of an environment, which are this daemon's
// to use wherever they are, and the variables that make buildkitd use those.
func relayProxies(environ []string) (variables []string, relays []relay) {
	address := netip.MustParseAddr("127.8.0.0") // of the router's loopback; each relay has the next
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if !slices.Contains(proxyVariables, name) || value == "" {
			continue
		}
		if !strings.Contains(value, "://") {
			value = "http://" + value
		}
		proxy, err := url.Parse(value)
		if err != nil || proxy.Hostname() == "" || proxyPorts[proxy.Scheme] == "" {
			continue
		}
		port := proxy.Port()
		if port == "" {
			port = proxyPorts[proxy.Scheme]
		}
		address = address.Next()
		at, err := netip.ParseAddrPort(net.JoinHostPort(address.String(), port))
		if err != nil {
			continue
		}
		relays = append(relays, relay{"tcp", at, net.JoinHostPort(proxy.Hostname(), port)})
		proxy.Host = at.String()
		variables = append(variables, name+"="+proxy.String())
	}
	return variables, relays
}
