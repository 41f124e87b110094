package objects

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// A thin pack has deltas whose bases only the other side has.
func TestThinPackIsCompleted(t *testing.T) {
	dir := gitRepository(t)
	git := func(stdin string, arguments ...string) []byte {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir}, arguments...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", arguments, err)
		}
		return out
	}
	large := make([]byte, 3<<20)
	_, _ = rand.Read(large)
	commit := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "large"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		git("", "add", "large")
		git("", "commit", "-qm", "large")
	}
	commit(large)
	first := strings.TrimSpace(string(git("", "rev-parse", "HEAD")))
	objectsDir := t.TempDir()
	install := func(pack []byte, store *Store) *Store {
		t.Helper()
		in, err := Receive(bytes.NewReader(pack), t.TempDir(), Limits{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close() //nolint:errcheck // read only
		if err := in.Resolve(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		if err := in.Install(Files(objectsDir)); err != nil {
			t.Fatal(err)
		}
		store, err = NewPacks(NewBudget()).OpenStore(Files(objectsDir))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
	store := install(git("", "pack-objects", "--all", "--stdout", "-q"), noObjects(NewBudget()))
	large[1<<20]++
	commit(large)
	large[2<<20]++
	commit(large)
	thin := git("HEAD\n^"+first+"\n", "pack-objects", "--thin", "--revs", "--stdout", "-q")
	if len(thin) > 100<<10 {
		t.Fatalf("git's pack of %d bytes is not thin", len(thin))
	}
	if _, err := receive(t, thin, Limits{}); err == nil || !strings.Contains(err.Error(), "have no base") {
		t.Errorf("without the bases: %v", err)
	}
	store = install(thin, store)
	for _, line := range strings.Fields(string(git("", "rev-list", "--objects", "--no-object-names", "HEAD"))) {
		h := plumbing.NewHash(line)
		if typ, data, err := store.Get(h); err != nil || plumbing.ComputeHash(typ, data) != h {
			t.Errorf("%s can't be read: %v", h, err)
		}
	}
	packs, err := os.ReadDir(filepath.Join(objectsDir, "pack"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		if strings.HasSuffix(p.Name(), ".idx") {
			if out, err := exec.Command("git", "verify-pack", filepath.Join(objectsDir, "pack", p.Name())).CombinedOutput(); err != nil {
				t.Errorf("git verify-pack %s: %v: %s", p.Name(), err, out)
			}
		}
	}
}

func TestTagChains(t *testing.T) {
	for _, test := range []struct {
		n  int
		ok bool
	}{{1, true}, {10, true}, {20, true}, {maxTagChain, true}, {maxTagChain + 1, false}} {
		var b packBuilder
		commit := b.add(plumbing.CommitObject, commitOf(b.add(plumbing.TreeObject, "")))
		h, typ := commit, "commit"
		for range test.n {
			h, typ = b.add(plumbing.TagObject, "object "+h.String()+"\ntype "+typ+"\ntag t\ntagger a <b> 1 +0000\n\nx\n"), "tag"
		}
		in, err := receive(t, b.pack(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := in.Install(Files(dir)); err != nil {
			t.Fatal(err)
		}
		store, err := NewPacks(NewBudget()).OpenStore(Files(dir))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close() //nolint:errcheck // read only
		for what, peel := range map[string]func() (Link, error){
			"before it is stored": func() (Link, error) { return in.Peel(noObjects(NewBudget()), h) },
			"stored":              func() (Link, error) { return store.Peel(h) },
		} {
			target, err := peel()
			if test.ok != (err == nil) || test.ok && target.Hash != commit {
				t.Errorf("%d tags, %s: %v, %v", test.n, what, target, err)
			}
		}
	}
}

// A tree whose names are each the beginning of those before: of a pack of some kilobytes, whose
// check must not grow with the square of them.
func TestTreeOfPrefixes(t *testing.T) {
	const n = 8000
	empty := plumbing.ComputeHash(plumbing.TreeObject, nil)
	var tree bytes.Buffer
	for k := n; k > 0; k-- {
		tree.WriteString(treeEntry("40000", "a"+strings.Repeat("!", k), empty))
	}
	if links, err := new(treeChecker).check(tree.Bytes()); err != nil || len(links) != n {
		t.Errorf("%d links, %v", len(links), err)
	}
}
