// Package submodules finds the repositories of submodules: which of their URLs is an image of this server, and how the others
// are asked, and with whose credentials.
//
// A URL is whatever a commit says. So it is reached by a client that keeps to what builds may reach, over HTTP alone: SSH
// has no key of anybody's to use, and most servers have the same repository at both. An image of this server is given
// to builds of its own namespace. The token of a GitHub connection goes to the connected host alone.
package submodules

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/egress"
)

// Tokens are secrets of the connections to other servers; hooks/github has them.
type Tokens interface {
	// Credentials returns what a build's connection asks a URL of its own host with, and the client for it; nil, where
	// the URL or the build's commit has nothing to do with a connection.
	Credentials(ctx context.Context, build catalog.Build, u *url.URL) (*catalog.Remote, error)
}

// Config is what a Finder is made of. Tokens and SSHAddress are required.
type Config struct {
	Tokens Tokens
	// SSHAddress returns "host:port" of the SSH server as users reach it.
	SSHAddress func() string
	// Allow reports whether an address may be reached that is not on the public Internet; nil: none may.
	Allow func(netip.AddrPort) bool
	// Of what one submodule may be, as of pushes; 0: no limit.
	MaxPackBytes, MaxObjectBytes, MaxObjects int64
}

// Finder finds submodules. It is safe for concurrent use.
type Finder struct {
	config Config
	client *http.Client
}

// New makes a Finder.
func New(config Config) *Finder {
	client := egress.Client(egress.Policy{Allow: config.Allow})
	client.CheckRedirect = nil // ten are followed: each connection is checked, whatever leads to it
	return &Finder{config: config, client: client}
}

// Find returns where the submodule of a URL is for a build; base is the URL of the repository that names it, "" for the
// build's own. Errors: Invalid.
func (f *Finder) Find(ctx context.Context, build catalog.Build, base, text string) (catalog.SubmoduleSource, error) {
	if base == "" {
		base = "ssh://git@" + f.config.SSHAddress() + "/" + build.Source.Repository()
	}
	u, err := catalog.ResolveGitURL(base, text)
	if err != nil {
		return catalog.SubmoduleSource{}, err
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		if strings.EqualFold(u.Host, f.config.SSHAddress()) {
			return own(build, u)
		}
		u.Scheme, u.User, u.Host = "https", nil, u.Hostname()
		if strings.Contains(u.Host, ":") { // IPv6
			u.Host = "[" + u.Host + "]"
		}
	}
	from := &catalog.Remote{HTTP: f.client}
	if u.User == nil {
		found, err := f.config.Tokens.Credentials(ctx, build, u)
		if err != nil {
			return catalog.SubmoduleSource{}, err
		}
		if found != nil {
			from = found
		}
	} else {
		from.Username = u.User.Username()
		from.Password, _ = u.User.Password()
	}
	u.User = nil
	from.URL = u.String()
	return catalog.SubmoduleSource{URL: from.URL, Fetch: catalog.FetchRequest{
		From: *from, MaxPackBytes: f.config.MaxPackBytes, MaxObjectBytes: f.config.MaxObjectBytes, MaxObjects: f.config.MaxObjects,
	}}, nil
}

// own is an image of this server.
func own(build catalog.Build, u *url.URL) (catalog.SubmoduleSource, error) {
	namespace, name, ok := strings.Cut(strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git"), "/")
	ref := catalog.ImageRef{Namespace: namespace, Name: name}
	if !ok || ref.Validate() != nil {
		return catalog.SubmoduleSource{}, catalog.Errorf(catalog.Invalid, "%s names no image of this server", u.Redacted())
	}
	if namespace != build.Image.Namespace {
		return catalog.SubmoduleSource{}, catalog.Errorf(catalog.Invalid, "%s is an image of another namespace; a build reads those of its own", ref)
	}
	return catalog.SubmoduleSource{URL: u.String(), Image: ref}, nil
}
