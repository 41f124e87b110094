package github

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzRepositoryName holds that what is taken for a repository is one at the connected host and nothing else there.
func FuzzRepositoryName(f *testing.F) {
	for _, name := range []string{"acme/app", "https://github.com/acme/app.git", "git@github.com:acme/app", "https://github.com:443/acme/app/", "acme/..", "https://u@github.com/acme/app?x", "acme/app%2f.."} {
		f.Add(name)
	}
	s := &Service{config: Config{BaseURL: "https://github.com"}}
	s.base, _ = url.Parse(s.config.BaseURL)
	f.Fuzz(func(t *testing.T, text string) {
		name, err := s.parseRepository(text)
		if err != nil {
			return
		}
		if again, err := s.parseRepository(name); err != nil && !strings.HasSuffix(name, ".git") || err == nil && !strings.HasPrefix(name, again) {
			t.Errorf("%q became %q, and that %q, %v", text, name, again, err)
		}
		u, err := url.Parse(s.config.BaseURL + "/" + name + ".git")
		if err != nil || u.Host != "github.com" || u.JoinPath().Path != "/"+name+".git" || u.RawQuery+u.Fragment != "" || strings.Count(name, "/") != 1 {
			t.Errorf("%q became %q, which is at %v, %v", text, name, u, err)
		}
	})
}
