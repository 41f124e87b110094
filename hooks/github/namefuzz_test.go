package github

import (
	"net/url"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// FuzzBranchVersion holds that every branch's commits can be versions, which tell their commit.
func FuzzBranchVersion(f *testing.F) {
	for _, branch := range []string{"main", "feature/x..y", "-x", "..", "é", strings.Repeat("a.", 99), "a.lock", "_"} {
		f.Add(branch)
	}
	const commit = "0123abcdef0123abcdef0123abcdef0123abcdef"
	f.Fuzz(func(t *testing.T, branch string) {
		version := branchVersion(branch, commit)
		if err := catalog.ValidateVersion(version); err != nil || !strings.HasSuffix(version, "-0123abc") {
			t.Errorf("%q became %q: %v", branch, version, err)
		}
	})
}

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
