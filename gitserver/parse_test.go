package gitserver

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestParseRepository(t *testing.T) {
	for path, want := range map[string]string{
		"app": "alice/app", "app.git": "alice/app", "/app": "alice/app", "~/app.git": "alice/app", "/~/app": "alice/app",
		"ns/app": "ns/app", "/ns/app.git": "ns/app", "~ns/app": "ns/app", "App/": "alice/App", "/My-App.git": "alice/My-App",
		"": "", "/": "", "..": "", "../app": "", "ns/../app": "", "/etc/../app": "", "a/b/c": "", "/srv/git/app.git": "",
		"//app": "", "./app": "", "app\x00": "", "ap\np": "", `a\b`: "", "..%2fapp": "", "%2e%2e/app": "", ".git": "", "ns/.git": "",
		"-app": "", "app.git.git": "", "ns/app b": "", "NS/app": "", "~": "", "é": "",
	} {
		ref, err := parseRepository(path, "alice")
		got := ""
		if err == nil {
			got = ref.String()
		} else if catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("%q: %v is not Invalid", path, err)
		}
		if got != want {
			t.Errorf("parseRepository(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
}

func FuzzParseRepository(f *testing.F) {
	for _, seed := range []string{"app.git", "/ns/app", "~/app", "../x", "a%00", "a/b/c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		ref, err := parseRepository(path, "alice")
		if err != nil {
			return
		}
		if strings.Contains(ref.Repository(), "..") || strings.Count(ref.Repository(), "/") != 1 || ref.Validate() != nil {
			t.Errorf("%q became %q", path, ref)
		}
	})
}

func TestCheckRefName(t *testing.T) {
	for name, ok := range map[string]bool{
		"refs/heads/main": true, "refs/tags/v1.0": true, "refs/heads/a/b": true, "refs/heads/ünïcode": true, "refs/tags/@": true,
		"refs/heads/": false, "refs/tags": false, "HEAD": false, "refs/fandogh/keep/x": false, "refs/notes/x": false,
		"refs/heads/a..b": false, "refs/heads/.a": false, "refs/heads/a/.b": false, "refs/heads/a.lock": false, "refs/heads/a.lock/b": false,
		"refs/heads/a b": false, "refs/heads/a~1": false, "refs/heads/a^": false, "refs/heads/a:b": false, "refs/heads/a?": false,
		"refs/heads/a*": false, "refs/heads/a[": false, `refs/heads/a\b`: false, "refs/heads/a@{b": false, "refs/heads/a.": false,
		"refs/heads//a": false, "refs/heads/a/": false, "refs/heads/a\x01": false, "refs/heads/a\x7f": false, "refs/heads/../../x": false,
		"refs/tags/../heads/main": false,
	} {
		if err := checkRefName(name); (err == nil) != ok {
			t.Errorf("checkRefName(%q) = %v, want ok %v", name, err, ok)
		}
	}
}

// FuzzCheckRefName holds that what is accepted is accepted by git.
func FuzzCheckRefName(f *testing.F) {
	for _, seed := range []string{"refs/heads/main", "refs/tags/v1", "refs/heads/a..b", "refs/heads/a@{1}", "refs/tags/x.lock"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkRefName(name) != nil || strings.ContainsRune(name, 0) {
			return
		}
		if out, err := exec.Command("git", "check-ref-format", name).CombinedOutput(); err != nil {
			t.Errorf("git refuses %q: %v %s", name, err, out)
		}
	})
}

func FuzzReadPushRequest(f *testing.F) {
	zero, one := strings.Repeat("0", 40), strings.Repeat("1", 40)
	f.Add([]byte("0000"))
	f.Add([]byte("0094" + zero + " " + one + " refs/heads/main\x00 report-status push-options side-band-64k agent=git/20000000010detach0000"))
	f.Add([]byte("0035shallow " + one + "\n0000"))
	f.Add([]byte("0004ffff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := readPushRequest(bytes.NewReader(data))
		if err != nil || req == nil {
			return
		}
		if len(req.commands) == 0 {
			t.Error("a request without commands")
		}
		for _, c := range req.commands {
			if c.Name == "" {
				t.Error("a command without ref")
			}
		}
	})
}
