package protocol

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// fetchCost is what a fetch reads and sends.
type fetchCost struct{ commits, clientTrees, sent int }

// A fetch of one commit reads what is about it, however long the history is that it ends.
func TestFetchReadsWhatChanged(t *testing.T) {
	cost := func(n int) fetchCost {
		dir := t.TempDir()
		git := func(stdin string, args ...string) string {
			cmd := exec.Command("git", append([]string{"-C", filepath.Join(dir, "alice", "app.git")}, args...)...)
			cmd.Stdin = strings.NewReader(stdin)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("git %v: %v", args, err)
			}
			return strings.TrimSpace(string(out))
		}
		if out, err := exec.Command("git", "init", "-q", "--bare", "-b", "main", filepath.Join(dir, "alice", "app.git")).CombinedOutput(); err != nil {
			t.Fatalf("git init: %v %s", err, out)
		}
		var history strings.Builder
		for i := range n {
			fmt.Fprintf(&history, "commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata 1\nx\nM 644 inline dir%d/file\ndata <<E\n%d\nE\n\n", 1700000000+i, i%10, i)
		}
		git(history.String(), "fast-import", "--quiet")
		had := plumbing.NewHash(git("", "rev-parse", "main"))
		git(fmt.Sprintf("commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata 1\nx\nfrom refs/heads/main^0\nM 644 inline dir3/file\ndata <<E\nnew\nE\n\n", 1700000000+n), "fast-import", "--quiet")
		repos, err := repository.Open(dir, objects.NewBudget(), nil)
		if err != nil {
			t.Fatal(err)
		}
		repo, err := repos.Open(catalog.ImageRef{Namespace: "alice", Name: "app"})
		if err != nil {
			t.Fatal(err)
		}
		defer objects.Discard(repo)
		s := &fetchSession{ctx: t.Context(), allowed: func(context.Context) error { return nil }, repo: repo, shown: hashSet{}}
		q := newFetchRequest()
		if err := q.argument([]byte("want " + git("", "rev-parse", "main"))); err != nil {
			t.Fatal(err)
		}
		f, err := s.begin(q)
		if err != nil {
			t.Fatal(err)
		}
		if mine, err := f.have(had); err != nil || !mine {
			t.Fatal(mine, err)
		}
		if enough, err := f.enough(); err != nil || !enough {
			t.Fatal(enough, err)
		}
		chosen, err := f.choose(func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		found := fetchCost{clientTrees: len(chosen.entries), sent: len(chosen.sent)}
		for _, commit := range f.history.commits {
			if commit.read {
				found.commits++
			}
		}
		return found
	}
	short, long := cost(50), cost(2000)
	if short != long {
		t.Errorf("of 50 commits it takes %+v, of 2000 %+v", short, long)
	}
	// The commit with its two trees and its file. Beside what is new git reads some commits more, as clocks differ.
	if long.sent != 4 || long.clientTrees != 2 || long.commits > 4+slop {
		t.Errorf("it takes %+v", long)
	}
}
