package gitserver

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// twin is a clone of ours and one of git's own upload-pack, over the same repository,
// which get the same commands.
type twin struct {
	t           *testing.T
	source      *clone
	ours, stock *clone
}

// both runs git in both clones, which must end alike.
func (t *twin) both(args ...string) {
	t.t.Helper()
	ours, oursErr := t.ours.try(args...)
	stock, stockErr := t.stock.try(args...)
	if (oursErr == nil) != (stockErr == nil) {
		t.t.Fatalf("git %s: of ours %v\n%s\nof git's own %v\n%s\n\nhistory\n%s", strings.Join(args, " "), oursErr, ours, stockErr, stock,
			t.source.git("log", "--graph", "--all", "--format=%H %ct %d"))
	}
}

// state is all that a fetch changes: refs, ends of history, and which objects are
// there. Tags that no ref names are left out: git's own server sends some that are of
// files which the client has.
func (c *clone) state() []string {
	c.env.t.Helper()
	shallow, err := os.ReadFile(filepath.Join(c.dir, ".git", "shallow"))
	if err != nil && !os.IsNotExist(err) {
		c.env.t.Fatal(err)
	}
	refs := c.git("for-each-ref")
	all := strings.Split(refs, "\n")
	for end := range strings.FieldsSeq(string(shallow)) {
		all = append(all, "shallow "+end)
	}
	for object := range strings.Lines(c.git("cat-file", "--batch-all-objects", "--batch-check")) {
		fields := strings.Fields(object)
		if fields[1] != "tag" || strings.Contains(refs, fields[0]) {
			all = append(all, object)
		}
	}
	slices.Sort(all)
	return all
}

func (t *twin) compare(after string) {
	t.t.Helper()
	for _, c := range []*clone{t.ours, t.stock} {
		c.git("fsck", "--full", "--strict", "--no-dangling")
	}
	ours, stock := t.ours.state(), t.stock.state()
	if slices.Equal(ours, stock) {
		return
	}
	without := func(a, b []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(a), func(l string) bool { return slices.Contains(b, l) }), "\n")
	}
	t.t.Fatalf("after %s ours alone has\n%s\n\ngit's own alone\n%s\n\nhistory\n%s", after, without(ours, stock), without(stock, ours),
		t.source.git("log", "--graph", "--all", "--format=%H %ct %d"))
}

// writeRandomHistory changes a repository that is pushed from: commits, merges, forced
// branches, tags of all kinds, at times that are not always in order.
func writeRandomHistory(c *clone, r *rand.Rand, clock *int) {
	for range 1 + r.IntN(6) {
		*clock += 60
		when := fmt.Sprintf("%d +0000", 1_700_000_000+*clock-r.IntN(2)*r.IntN(600))
		git := func(args ...string) {
			cmd := c.command(args...)
			cmd.Env = append(cmd.Env, "GIT_AUTHOR_DATE="+when, "GIT_COMMITTER_DATE="+when)
			if out, err := cmd.CombinedOutput(); err != nil {
				c.env.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		}
		commit := func() {
			name := fmt.Sprintf("%s/%s/f%d", []string{"a", "b", "c"}[r.IntN(3)], []string{"x", "y"}[r.IntN(2)], r.IntN(6))
			c.write(name, lines(r.IntN(120), fmt.Sprint("line ", r.IntN(9)))+fmt.Sprint(*clock))
			git("add", "-A")
			git("commit", "-q", "-m", fmt.Sprint("at ", *clock))
		}
		branch := fmt.Sprintf("b%d", r.IntN(4))
		what := r.IntN(9)
		if *clock == 60 {
			what = 9 // there is nothing else to do things with
		}
		switch what {
		case 0:
			git("branch", "-f", branch)
		case 1:
			git("tag", "-f", "-a", "-m", "note", fmt.Sprintf("t%d", r.IntN(5)))
		case 2:
			git("tag", "-f", fmt.Sprintf("l%d", r.IntN(5)))
		case 3:
			if _, err := c.try("rev-parse", "-q", "--verify", branch); err == nil {
				git("merge", "-q", "-X", "ours", "-m", "merge", branch)
			}
		case 4:
			if _, err := c.try("rev-parse", "-q", "--verify", "HEAD~3"); err == nil {
				git("reset", "-q", "--hard", "HEAD~2")
			}
			commit()
		case 5:
			if _, err := c.try("rev-parse", "-q", "--verify", branch); err == nil {
				git("checkout", "-q", "-B", "main", branch)
			}
			commit()
		case 6:
			git("tag", "-f", "-a", "-m", "of a file", "file", "HEAD:"+strings.Fields(c.git("ls-files"))[0])
		default:
			commit()
		}
	}
}

// fetchArguments are those of a random fetch.
func fetchArguments(c *clone, r *rand.Rand) []string {
	args := []string{"fetch", "-q", "-f"}
	some := func(name string) string {
		all := strings.Fields(c.git("for-each-ref", "--format=%(refname:short)", name))
		if len(all) == 0 {
			return ""
		}
		return all[r.IntN(len(all))]
	}
	switch r.IntN(8) {
	case 0:
		args = append(args, fmt.Sprintf("--depth=%d", 1+r.IntN(5)))
	case 1:
		args = append(args, fmt.Sprintf("--deepen=%d", 1+r.IntN(4)))
	case 2:
		times := strings.Fields(c.git("log", "--all", "--format=%ct"))
		args = append(args, "--shallow-since="+times[r.IntN(len(times))])
	case 3:
		if tag := some("refs/tags/l*"); tag != "" {
			args = append(args, "--shallow-exclude="+tag)
		}
	case 4:
		args = append(args, "--no-tags")
	case 5:
		args = append(args, "--tags")
	}
	switch r.IntN(4) {
	case 0:
		return append(args, "origin", "+main:refs/remotes/origin/main")
	case 1:
		commits := strings.Fields(c.git("rev-list", "main"))
		return append(args, "origin", "+"+commits[r.IntN(len(commits))]+":refs/heads/by-name")
	}
	return append(args, "--prune", "origin")
}

// Whatever a client fetches, it has after that what git's own upload-pack, over the
// same repository, would have given it.
func TestFetchesAsFromGit(t *testing.T) {
	seeds := 6
	if text := os.Getenv("FANDOGH_TEST_SEEDS"); text != "" {
		if _, err := fmt.Sscan(text, &seeds); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 7))
			h := newEnv(t, nil)
			source, clock := h.newClone("alice", "app"), 0
			writeRandomHistory(source, r, &clock)
			w := &twin{t: t, source: source, ours: h.newClone("alice", "app"), stock: h.newClone("alice", "app")}
			version := fmt.Sprint(2 * r.IntN(2))
			filter := []string{"", "", "blob:none", "blob:limit=400", "tree:0", "tree:2"}[r.IntN(6)]
			w.stock.git("remote", "set-url", "origin", "file://"+h.repoDir("alice/app"))
			w.both("config", "protocol.version", version)
			w.both("config", "gc.auto", "0")
			w.both("config", "fetch.unpackLimit", "1")
			if filter != "" {
				w.both("config", "remote.origin.promisor", "true")
				w.both("config", "remote.origin.partialclonefilter", filter)
			}
			for range 8 {
				writeRandomHistory(source, r, &clock)
				source.git("push", "-q", "-f", "--prune", "origin", "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*")
				h.allowAll()
				args := fetchArguments(source, r)
				w.both(args...)
				w.compare(fmt.Sprintf("%v, protocol %s, filter %q", args, version, filter))
				if shallow := w.ours.git("rev-parse", "--is-shallow-repository"); shallow == "true" && r.IntN(4) == 0 {
					w.both("fetch", "-q", "--unshallow", "origin")
					w.compare("--unshallow")
				}
			}
		})
	}
}

// allowAll has git's own server offer what ours does, of alice/app.
func (e *env) allowAll() {
	e.t.Helper()
	for _, key := range []string{"allowFilter", "allowReachableSHA1InWant", "allowTipSHA1InWant", "hideRefs"} {
		value := "true"
		if key == "hideRefs" {
			value = "refs/fandogh"
		}
		if out, err := e.stock("alice/app", "config", "uploadpack."+key, value).CombinedOutput(); err != nil {
			e.t.Fatalf("%v: %s", err, out)
		}
	}
}
