package repository

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Whenever refs of a backup are there, the tags that are of no version are history: no start of the daemon builds a version that
// was deleted since, though the repair was killed.
func TestPlacedRefsAreHistoryAtOnce(t *testing.T) {
	p := newPusher(t)
	p.push("refs/heads/main", p.newHistory("main", 500))
	kept := VersionOf{Version: catalog.Version{Name: "kept", Tag: "kept", Commit: p.git("rev-parse", "HEAD"), State: catalog.Built}, Image: p.ref}
	for _, tag := range []string{"kept", "deleted", "loose"} {
		p.git("tag", "-m", tag, tag)
		p.push("refs/tags/"+tag, p.git("rev-parse", tag))
	}
	loose := p.git("rev-parse", "loose")
	p.drop("refs/tags/loose")
	dir, backup := p.repos.path(p.ref), filepath.Join(t.TempDir(), "backup")
	p.server("update-ref", "refs/tags/loose", loose)
	if err := os.Rename(dir, backup); err != nil {
		t.Fatal(err)
	}
	var faults []catalog.Fault
	if err := p.repos.Check(t.Context(), p.ref, []VersionOf{kept}, func(f catalog.Fault) { faults = append(faults, f) }); err != nil || len(faults) != 1 {
		t.Fatalf("%v, %v", faults, err)
	}
	placed := 0
	err := filepath.WalkDir(backup, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(backup, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		done, err := faults[0].Place(t.Context(), path, to)
		if err == nil && !done {
			text, readErr := os.ReadFile(path)
			if err = readErr; err == nil {
				err = os.MkdirAll(filepath.Dir(to), 0o755)
			}
			if err == nil {
				err = os.WriteFile(to, text, 0o600)
			}
		}
		if err != nil {
			return err
		}
		tags, err := p.repos.Tags(t.Context(), p.ref)
		for _, tag := range tags { // as a start after a kill would see it
			placed++
			if tag.Stored == (tag.Name == "kept") {
				t.Errorf("once %s is there %s is history: %v", name, tag.Name, tag.Stored)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	tags, err := p.repos.Tags(t.Context(), p.ref)
	if err != nil || len(tags) != 3 || placed < 5 {
		t.Errorf("%v, %v; seen %d times", tags, err, placed)
	}
	p.wantWhole("at the end")
}
