package repository

import (
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestParsePath(t *testing.T) {
	for path, want := range map[string]string{
		"app": "alice/app", "app.git": "alice/app", "/app": "alice/app", "~/app.git": "alice/app", "/~/app": "alice/app",
		"ns/app": "ns/app", "/ns/app.git": "ns/app", "~ns/app": "ns/app", "App/": "alice/App", "/My-App.git": "alice/My-App",
		"": "", "/": "", "..": "", "../app": "", "ns/../app": "", "/etc/../app": "", "a/b/c": "", "/srv/git/app.git": "",
		"//app": "", "./app": "", "app\x00": "", "ap\np": "", `a\b`: "", "..%2fapp": "", "%2e%2e/app": "", ".git": "", "ns/.git": "",
		"-app": "", "app.git.git": "", "ns/app b": "", "NS/app": "", "~": "", "é": "",
	} {
		ref, err := ParsePath(path, "alice")
		got := ""
		if err == nil {
			got = ref.String()
		} else if catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("%q: %v is not Invalid", path, err)
		}
		if got != want {
			t.Errorf("ParsePath(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"app.git", "/ns/app", "~/app", "../x", "a%00", "a/b/c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		ref, err := ParsePath(path, "alice")
		if err != nil {
			return
		}
		if strings.Contains(ref.Repository(), "..") || strings.Count(ref.Repository(), "/") != 1 || ref.Validate() != nil {
			t.Errorf("%q became %q", path, ref)
		}
	})
}
