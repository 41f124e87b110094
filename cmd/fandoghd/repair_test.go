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
