package refs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// FuzzRefFiles has git read the same files: whatever refs are read here, it reads alike.
func FuzzRefFiles(f *testing.F) {
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	f.Add([]byte(packedHeader+one+" refs/heads/main\n"+two+" refs/tags/v1\n^"+one+"\n"), []byte(one+"\n"))
	f.Add([]byte(one+" refs/tags/b\n"+one+" refs/tags/a\n"), []byte("ref: refs/heads/main\n"))
	f.Add([]byte("# pack-refs with: sorted\n"+one+" refs/tags/a"), []byte(one+" x"))
	f.Add([]byte{}, []byte(strings.ToUpper(strings.Repeat("ab", 20))))
	dir := f.TempDir()
	if out, err := exec.Command("git", "init", "-q", "--bare", dir).CombinedOutput(); err != nil {
		f.Fatalf("%v %s", err, out)
	}
	f.Fuzz(func(t *testing.T, packed, loose []byte) {
		file := filepath.Join(dir, "refs", "heads", "loose")
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "packed-refs"), packed, 0o600), os.WriteFile(file, loose, 0o600)); err != nil {
			t.Fatal(err)
		}
		refs := map[string]plumbing.Hash{}
		p, err := openPackedRefs(dir)
		if err != nil {
			return
		}
		defer objects.Discard(p)
		all, err := p.all()
		if err != nil || len(all) > 50 {
			return
		}
		for _, ref := range all {
			if CheckName(ref.Name) != nil || refs[ref.Name] != plumbing.ZeroHash {
				return // which only who writes into the repository by hand has
			}
			refs[ref.Name] = ref.Hash
		}
		if !slices.IsSortedFunc(all, func(a, b Ref) int { return strings.Compare(a.Name, b.Name) }) {
			return
		}
		for _, ref := range all {
			if found, ok, err := p.Find(ref.Name); err != nil || !ok || found.Hash != ref.Hash {
				t.Errorf("%s is found as %v, %v, %v", ref.Name, found, ok, err)
			}
		}
		if h, ok, err := readLoose(file); err != nil {
			return
		} else if ok {
			refs["refs/heads/loose"] = h
		}
		out, err := exec.Command("git", "-C", dir, "for-each-ref", "--format=%(objectname) %(refname)").Output()
		if err != nil {
			return // the objects are not there, or the whole is broken to git
		}
		for line := range strings.Lines(string(out)) {
			hash, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			if refs[name].String() != hash {
				t.Errorf("git reads %s as %s, we as %s", name, hash, refs[name])
			}
		}
	})
}
