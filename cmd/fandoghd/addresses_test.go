package main

import (
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/config"
)

// TestWhatUsersAreTold has settings under which an address that users are told is none that they reach.
func TestWhatUsersAreTold(t *testing.T) {
	for _, test := range []struct {
		http config.HTTP
		ssh  config.SSH
		told string // what to set
		url  string // at 127.0.0.1:443
	}{
		{config.HTTP{Addr: "127.0.0.1:443"}, config.SSH{Addr: "127.0.0.1:2222"}, "", "http://127.0.0.1:443"},
		{config.HTTP{Addr: "192.0.2.1:443"}, config.SSH{Addr: "[2001:db8::1]:2222"}, "", "http://127.0.0.1:443"},
		{config.HTTP{Addr: "0.0.0.0:443"}, config.SSH{Addr: "[::]:2222"}, "http.public_url ssh.public_addr", "http://127.0.0.1:443"},
		{config.HTTP{Addr: ":443", PublicURL: "https://images.example.com"}, config.SSH{Addr: ":2222", PublicAddr: "images.example.com:2222"}, "", "http://127.0.0.1:443"},
		{config.HTTP{Addr: ":443", TLS: config.HTTPSTLS{Cert: "a", Key: "b"}}, config.SSH{Addr: ":2222", PublicAddr: "images.example.com:2222"}, "http.public_url", "https://127.0.0.1:443"},
		{config.HTTP{Addr: ":443", TLS: config.HTTPSTLS{ACMEHosts: []string{"images.example.com", "other.example.com"}}}, config.SSH{Addr: ":2222"}, "ssh.public_addr", "https://images.example.com"},
	} {
		c := config.Config{HTTP: test.http, SSH: test.ssh}
		if got := strings.Join(toldElsewhere(c), " "); got != test.told {
			t.Errorf("%+v: to be set: %q, want %q", c.HTTP, got, test.told)
		}
		if got := publicURL(c.HTTP.TLS, "127.0.0.1:443"); got != test.url {
			t.Errorf("%+v: told %q, want %q", c.HTTP, got, test.url)
		}
	}
}
