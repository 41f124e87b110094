package objects

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// installPack takes one pack into a repository as a push does.
func installPack(t *testing.T, objectsDir string, pack []byte) {
	t.Helper()
	in, err := Receive(bytes.NewReader(pack), t.TempDir(), Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close() //nolint:errcheck // read only
	store, err := NewPacks(NewBudget()).OpenStore(Files(objectsDir))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // read only
	if err := in.Resolve(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if err := in.Install(Files(objectsDir)); err != nil {
		t.Fatal(err)
	}
}

// mergeOnce merges what is to be merged; it returns how many packs there are then.
func mergeOnce(t *testing.T, objectsDir string) int {
	t.Helper()
	store, err := NewPacks(NewBudget()).OpenStore(Files(objectsDir))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // read only
	merged, err := store.Merge(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if merged != nil {
		defer merged.Close() //nolint:errcheck // moved away
		if err := merged.Replace(Files(objectsDir)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(filepath.Join(objectsDir, "pack"))
	if err != nil {
		t.Fatal(err)
	}
	packs := 0
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".pack") {
			packs++
		}
	}
	return packs
}

// Packs are merged while others read: no reader ever misses an object.
func TestMerge(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", "--bare", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	objectsDir := filepath.Join(dir, "objects")
	var all []plumbing.Hash
	var parents []plumbing.Hash
	base := strings.Repeat("a line that stays\n", 20)
	push := func(i int) {
		var b packBuilder
		first := b.add(plumbing.BlobObject, fmt.Sprint(base, i))
		second := fmt.Sprint(base, i, ".") // as a delta of the first
		delta := append([]byte{byte(len(base)+len(fmt.Sprint(i)))&0x7f | 0x80, byte((len(base) + len(fmt.Sprint(i))) >> 7), byte(len(second))&0x7f | 0x80, byte(len(second) >> 7),
			0xb0, byte(len(second) - 1), byte((len(second) - 1) >> 8)}, 1, '.')
		b.raw(plumbing.REFDeltaObject, len(delta), first[:], delta)
		tree := b.add(plumbing.TreeObject, treeEntry("100644", "a", first)+treeEntry("100644", "b", plumbing.ComputeHash(plumbing.BlobObject, []byte(second))))
		commit := b.add(plumbing.CommitObject, commitOf(tree, parents...))
		parents = []plumbing.Hash{commit}
		all = append(all, first, plumbing.ComputeHash(plumbing.BlobObject, []byte(second)), tree, commit)
		installPack(t, objectsDir, b.pack())
	}
	for i := range maxPacks {
		push(i)
	}
	if n := mergeOnce(t, objectsDir); n != maxPacks {
		t.Errorf("%d packs after merging too early", n)
	}
	old, err := NewPacks(NewBudget()).OpenStore(Files(objectsDir))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close() //nolint:errcheck // read only
	early := all

	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				store, err := NewPacks(NewBudget()).OpenStore(Files(objectsDir))
				if err != nil {
					t.Error(err)
					return
				}
				var parallel sync.WaitGroup
				for _, h := range early[:20] {
					parallel.Go(func() {
						if _, _, err := store.Get(h); err != nil {
							t.Errorf("%s: %v", h, err)
						}
					})
				}
				parallel.Wait()
				_ = store.Close()
			}
		})
	}
	for i := range 4 * maxPacks {
		push(maxPacks + i)
		if n := mergeOnce(t, objectsDir); n > maxPacks {
			t.Fatalf("%d packs after %d pushes", n, maxPacks+i+1)
		}
	}
	close(stop)
	readers.Wait()

	fresh, err := NewPacks(NewBudget()).OpenStore(Files(objectsDir))
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close() //nolint:errcheck // read only
	for _, h := range all {
		if _, _, err := fresh.Get(h); err != nil {
			t.Errorf("lost %s: %v", h, err)
		}
	}
	for _, h := range early {
		if _, _, err := old.Get(h); err != nil {
			t.Errorf("a store that was open lost %s: %v", h, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "refs/heads/main"), []byte(parents[0].String()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "--git-dir="+dir, "fsck", "--full", "--strict").CombinedOutput(); err != nil {
		t.Errorf("fsck: %v\n%s", err, out)
	}
	if out, err := exec.Command("git", "--git-dir="+dir, "rev-list", "--count", "main").CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != fmt.Sprint(5*maxPacks) {
		t.Errorf("history: %v %s", err, out)
	}
}
