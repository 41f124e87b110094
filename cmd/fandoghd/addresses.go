package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// addresses is where the daemon listens, as kept in addresses.json while it runs, with what
// the admin verbs have to know of its settings.
type addresses struct {
	HTTP      string `json:"http"`              // host:port that connects from this machine
	SSH       string `json:"ssh"`               // host:port that connects from this machine
	Metrics   string `json:"metrics,omitempty"` // host:port that connects from this machine; empty: /metrics of HTTP alone
	PublicURL string `json:"public_url"`        // what users are shown
	PublicSSH string `json:"public_ssh"`        // host:port users are shown

	BuildKit string `json:"buildkit,omitempty"` // unix://… of the managed buildkitd; empty: builder.addresses are used

	Grace time.Duration `json:"registry_grace"` // nanoseconds
	Quota catalog.Quota `json:"quota"`          // of namespaces for which nothing else is set
}

const addressesFile = "addresses.json"

// readAddresses returns those of the daemon that runs on a directory, nil when none does.
func readAddresses(dir string) (*addresses, error) {
	text, err := os.ReadFile(filepath.Join(dir, addressesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := &addresses{}
	return a, json.Unmarshal(text, a)
}

// write replaces the file, so that a reader sees all of it or none.
func (a addresses) write(dir string) error {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Replace(filepath.Join(dir, addressesFile), append(text, '\n'), 0o600)
}

// publicHost is the registry's host in image references users are shown.
func (a addresses) publicHost() string {
	u, err := url.Parse(a.PublicURL)
	if err != nil {
		return a.HTTP
	}
	return u.Host
}

// publicURL is the address that users are told where none is set: the listener's, as this machine reaches it, or the first host of which ACME has
// certificates, at the port that it demands.
func publicURL(c config.HTTPSTLS, listener string) string {
	switch {
	case len(c.ACMEHosts) > 0:
		return "https://" + c.ACMEHosts[0]
	case c.Enabled():
		return "https://" + listener
	}
	return "http://" + listener
}

// toldElsewhere names what to set where others reach a listener and are told an address that is this machine's alone.
func toldElsewhere(c config.Config) (settings []string) {
	if c.HTTP.PublicURL == "" && len(c.HTTP.TLS.ACMEHosts) == 0 && anyAddress(c.HTTP.Addr) {
		settings = append(settings, "http.public_url")
	}
	if c.SSH.PublicAddr == "" && anyAddress(c.SSH.Addr) {
		settings = append(settings, "ssh.public_addr")
	}
	return settings
}

// anyAddress reports whether what listens at a host:port does so at all addresses of the machine.
func anyAddress(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "" || ip != nil && ip.IsUnspecified())
}

// reachable turns a listener's address into one that connects from this
// machine: a wildcard becomes loopback.
func reachable(l net.Addr) string {
	address := l.String()
	if !anyAddress(address) {
		return address
	}
	_, port, _ := net.SplitHostPort(address)
	return net.JoinHostPort("127.0.0.1", port)
}
