package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What a backup has of a repository that is gone, or of its refs, comes back; a version that was deleted since does not: its tag is
// history, of which the daemon makes none.
func TestRepairBringsNoVersionBack(t *testing.T) {
	c := newChecked(t)
	c.execute(`DELETE FROM builds WHERE version_id = (SELECT id FROM versions WHERE tag = 'v2')`)
	c.execute(`DELETE FROM versions WHERE tag = 'v2'`)
	refs := c.path("repos/ali/app.git/packed-refs")
	for name, lose := range map[string]func(){
		"repository": func() { c.must(os.RemoveAll(c.path("repos/ali/app.git"))) },
		"refs":       func() { c.remove(refs) },
	} {
		t.Run(name, func(t *testing.T) {
			lose()
			out, err := exec.Command("fandoghd", "admin", "--data", c.data, "check", "--repair", "--from", c.backup).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			text, err := os.ReadFile(refs)
			c.must(err)
			for _, want := range []string{"refs/heads/main\n", "refs/tags/v1\n", "refs/fandogh/stored/v2\n"} {
				if !strings.Contains(string(text), want) {
					t.Errorf("there is no %sbut\n%s", want, text)
				}
			}
			if strings.Contains(string(text), "stored/v1") {
				t.Errorf("the tag of a version is history:\n%s", text)
			}
		})
	}
}

// Of what was mended here, a repair with a backup does not say that it was taken from there, nor takes it: neither where the backup has
// the same files, nor where the repository was packed anew since.
func TestRepairTakesOnlyWhatIsLost(t *testing.T) {
	c := newChecked(t)
	repo := c.path("repos/ali/app.git")
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("git", append([]string{"--git-dir", repo}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	repair := func() (said string) {
		t.Helper()
		out, err := exec.Command("fandoghd", "admin", "--data", c.data, "check", "--repair", "--from", c.backup).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	packs := func() string { return strings.Join(c.files("repos/ali/app.git/objects/pack", ".pack"), "\n") }
	for name, before := range map[string]func(){
		"as in the backup": func() {},
		"packed anew": func() {
			c.must(os.MkdirAll(repo+"/refs", 0o700)) // without it git takes it for no repository
			git("repack", "-q", "-a", "-d", "-f")
		},
	} {
		t.Run(name, func(t *testing.T) {
			before()
			had := packs()
			for _, index := range c.files("repos/ali/app.git/objects/pack", ".idx") {
				c.remove(index)
			}
			said := repair()
			if strings.Contains(said, "taken from") || !strings.Contains(said, "mended: its index was made anew") || !strings.Contains(said, "mended with another") {
				t.Errorf("it says\n%s", said)
			}
			if now := packs(); now != had {
				t.Errorf("there are\n%s\nand were\n%s", now, had)
			}
		})
	}
	t.Run("beside what is lost", func(t *testing.T) {
		for _, index := range c.files("repos/ali/app.git/objects/pack", ".idx") {
			c.remove(index)
		}
		c.remove(c.blob("layer"))
		said := repair()
		if n := strings.Count(said, "taken from"); n != 1 && n != 2 { // two versions may have the layer
			t.Errorf("it says\n%s", said)
		}
	})
}
