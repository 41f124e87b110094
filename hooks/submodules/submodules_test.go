package submodules_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/submodules"
)

// tokenOf gives a token for one host.
type tokenOf string

func (h tokenOf) Credentials(_ context.Context, _ catalog.Build, u *url.URL) (*catalog.Remote, error) {
	if u.Host != string(h) {
		return nil, nil
	}
	return &catalog.Remote{Username: "x-access-token", Password: "secret", HTTP: http.DefaultClient}, nil
}

func TestFind(t *testing.T) {
	f := submodules.New(submodules.Config{
		Tokens: tokenOf("git.example.com"), SSHAddress: func() string { return "fandogh.example.com:2222" }, MaxPackBytes: 7,
	})
	build := catalog.Build{Image: catalog.ImageRef{Namespace: "ali", Name: "Shop"}, Source: catalog.ImageRef{Namespace: "ali", Name: "Shop"}}
	for _, c := range []struct {
		base, url, want string // "user:password url", or an image
		fault           string
	}{
		{"", "https://other.example.com/lib.git", ": https://other.example.com/lib.git", ""},
		{"", "git@other.example.com:acme/lib.git", ": https://other.example.com/acme/lib.git", ""},
		{"", "ssh://git@other.example.com:2222/acme/lib", ": https://other.example.com/acme/lib", ""},
		{"", "git://other.example.com/lib", ": https://other.example.com/lib", ""},
		{"", "ssh://git@[2001:db8::1]:22/lib", ": https://[2001:db8::1]/lib", ""},
		{"", "http://other.example.com:8080/lib", ": http://other.example.com:8080/lib", ""},
		{"", "https://me:word@git.example.com/lib", "me:word https://git.example.com/lib", ""},
		{"", "https://git.example.com/lib", "x-access-token:secret https://git.example.com/lib", ""},
		{"https://git.example.com/acme/app", "../lib.git", "x-access-token:secret https://git.example.com/acme/lib.git", ""},
		{"", "../lib", "ali/lib", ""},
		{"", "../lib.git", "ali/lib", ""},
		{"", "ssh://git@fandogh.example.com:2222/ALI/lib", "", "names no image"},
		{"", "ssh://git@fandogh.example.com:2222/sara/lib", "", "image of another namespace"},
		{"", "../../sara/lib", "", "image of another namespace"},
		{"", "../../lib", "", "names no image"},
		{"", "../../../lib", "", "leads out of the host"},
		{"", "file:///etc", "", "scheme file"},
	} {
		got, err := f.Find(t.Context(), build, c.base, c.url)
		if c.fault != "" {
			if catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), c.fault) {
				t.Errorf("%s: %+v, %v; want Invalid with %q", c.url, got, err, c.fault)
			}
			continue
		}
		is := got.Fetch.From.Username + ":" + got.Fetch.From.Password + " " + got.Fetch.From.URL
		if got.Image != (catalog.ImageRef{}) {
			is = got.Image.Namespace + "/" + got.Image.Name
		} else if got.Fetch.MaxPackBytes != 7 || got.Fetch.From.HTTP == nil || strings.Contains(got.URL, "word") {
			t.Errorf("%s: %+v", c.url, got)
		}
		if is != c.want || err != nil {
			t.Errorf("%s is %q, %v; want %q", c.url, is, err, c.want)
		}
	}
}

// TestFindKeepsToWhatBuildsReach asks a server of this machine, which is allowed or not, also by a redirect.
func TestFindKeepsToWhatBuildsReach(t *testing.T) {
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/there", http.StatusMovedPermanently)
		}
	}))
	defer here.Close()
	address := netip.MustParseAddrPort(strings.TrimPrefix(here.URL, "http://"))
	for _, allowed := range []bool{false, true} {
		f := submodules.New(submodules.Config{
			Tokens: tokenOf(""), SSHAddress: func() string { return "fandogh.example.com:2222" },
			Allow: func(a netip.AddrPort) bool { return allowed && a == address },
		})
		found, err := f.Find(t.Context(), catalog.Build{}, "", here.URL+"/moved")
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, found.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := found.Fetch.From.HTTP.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		if (err == nil) != allowed || err != nil && !strings.Contains(err.Error(), "not an address on the public Internet") {
			t.Errorf("allowed %v: %v", allowed, err)
		}
	}
}
