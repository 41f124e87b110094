package objects

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A file that changes a little with each push takes about as much as git makes of it, whether clients send
// deltas or not.
func TestMergedVersionsAreDeltas(t *testing.T) {
	for _, c := range []struct {
		name   string
		pushes int
		thin   string
	}{
		{"thin packs", 61, "--thin"},
		{"whole packs", maxPacks + 1, "--window=0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			work, bare := t.TempDir(), t.TempDir()
			git := func(dir, input string, args ...string) string {
				t.Helper()
				cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
				cmd.Stdin = strings.NewReader(input)
				var out, problem bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &problem
				if err := cmd.Run(); err != nil {
					t.Fatalf("git %v: %v %s", args, err, &problem)
				}
				return out.String()
			}
			git(work, "", "init", "-q", "-b", "main")
			git(bare, "", "init", "-q", "--bare", "-b", "main")
			objectsDir := filepath.Join(bare, "objects")
			random := rand.New(rand.NewPCG(1, 2))
			lines := make([]string, 12000)
			for i := range lines {
				lines[i] = fmt.Sprintf("package-%d = %x\n", i, random.Uint64())
			}
			for push := range c.pushes {
				lines[random.IntN(len(lines))] = fmt.Sprintf("package = %x\n", random.Uint64())
				if err := os.WriteFile(filepath.Join(work, "lock"), []byte(strings.Join(lines, "")), 0o644); err != nil {
					t.Fatal(err)
				}
				git(work, "", "add", "lock")
				git(work, "", "commit", "-q", "-m", fmt.Sprint("push ", push))
				revs := "main\n"
				if push > 0 {
					revs += "^main~1\n"
				}
				installPack(t, objectsDir, []byte(git(work, revs, "pack-objects", "-q", "--revs", "--stdout", c.thin)))
				mergeOnce(t, objectsDir)
			}
			git(work, "", "gc", "-q")
			ours, gits := packBytes(t, objectsDir), packBytes(t, filepath.Join(work, ".git", "objects"))
			t.Logf("%d bytes, git gc %d: %.2f times", ours, gits, float64(ours)/float64(gits))
			if float64(ours) > 1.3*float64(gits) {
				t.Errorf("packs take %d bytes, after git gc %d", ours, gits)
			}
			git(bare, "", "update-ref", "refs/heads/main", strings.TrimSpace(git(work, "", "rev-parse", "main")))
			git(bare, "", "fsck", "--full", "--strict")
			if n := strings.TrimSpace(git(bare, "", "rev-list", "--count", "main")); n != fmt.Sprint(c.pushes) {
				t.Errorf("%s commits", n)
			}
		})
	}
}

func packBytes(t *testing.T, objectsDir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(objectsDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".pack") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
