package repository

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// used are an image's Git LFS objects, by when each was used last.
type used struct {
	contents
	at    map[string]time.Time
	asked int // to remove some
}

func (u *used) Unused(_ context.Context, _ catalog.ImageRef, until time.Time) (unused []catalog.LFSObject, err error) {
	for oid, at := range u.at {
		if !at.After(until) {
			unused = append(unused, catalog.LFSObject{OID: oid, Size: sizeOfLarge, UsedAt: at})
		}
	}
	return unused, nil
}

func (u *used) Remove(_ context.Context, _ catalog.ImageRef, oids []string, until time.Time) (removed []catalog.LFSObject, err error) {
	u.asked++
	for _, oid := range oids {
		if at, has := u.at[oid]; has && !at.After(until) {
			delete(u.at, oid)
			removed = append(removed, catalog.LFSObject{OID: oid, Size: sizeOfLarge})
		}
	}
	return removed, nil
}

const sizeOfLarge = 5

// large returns a content of Git LFS and its OID.
func large(n int) (content, oid string) {
	content = fmt.Sprintf("%05d", n)
	return content, fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
}

// newLargePusher is a pusher with git-lfs for *.bin.
func newLargePusher(t *testing.T) (*pusher, *used) {
	t.Helper()
	p, has := newPusher(t), &used{at: map[string]time.Time{}}
	p.repos.LargeFiles = has
	p.git("lfs", "install", "--local")
	p.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
	return p, has
}

// named returns what stock git-lfs says that the repository's refs lead to.
func (p *pusher) named() map[string]bool {
	return lineSet(p.server("lfs", "ls-files", "--all", "--long"))
}

// What is left of the objects of any history is what stock git-lfs finds in it, what was in it lately, and what was used lately.
func TestPruneLargeOfRandomHistories(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p, has := newLargePusher(t)
			h := &largeHistory{
				randomHistory: &randomHistory{pusher: p, random: rand.New(rand.NewPCG(seed, 7)), since: map[string]time.Time{}},
				has:           has, never: map[string]bool{},
			}
			h.commitLarge("main", 0)
			h.push("refs/heads/main", h.commits[0])
			for step := range 40 {
				h.change(step)
				if step%4 == 3 {
					h.compareLarge(step)
				}
			}
			for range 2 { // it is seen, and then its time is over
				h.pruned(randomGrace)
				h.now = h.now.Add(2 * randomGrace)
			}
			h.pruned(randomGrace)
			want := h.named()
			maps.DeleteFunc(want, func(oid string, _ bool) bool { return h.never[oid] })
			if have := keysOf(has.at); !maps.Equal(want, have) {
				t.Errorf("at last %d objects are left, and git-lfs finds %d", len(have), len(want))
			}
			if has.asked == 0 || len(want) == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

func keysOf(of map[string]time.Time) map[string]bool {
	keys := map[string]bool{}
	for key := range of {
		keys[key] = true
	}
	return keys
}

// largeHistory is a history at random with files of Git LFS.
type largeHistory struct {
	*randomHistory
	has   *used
	never map[string]bool // what was not there when its pointer was pushed
}

// commitLarge commits a content under a name, and what goes with it; some in a form in which git-lfs does not write pointers.
func (h *largeHistory) commitLarge(name string, n int) {
	h.t.Helper()
	content, oid := large(n)
	if n%5 != 1 {
		h.write(name+".bin", content)
	} else {
		h.write(name+".txt", []string{
			"version https://git-lfs.github.com/spec/v1\r\noid sha256:" + oid + "\r\nsize 5\r\n",
			"version https://hawser.github.com/spec/v1\noid sha256:" + oid + "\nsize 5\n",
			"version https://git-lfs.github.com/spec/v1\next-0-foo sha256:" + strings.Repeat("a", 64) + "\noid sha256:" + oid + "\nsize 5\n",
			"version https://git-lfs.github.com/spec/v1\noid sha256:" + oid + "\nsize 5\n\n",
		}[n/5%4])
	}
	h.write("noise", manyLines(50, name))
	h.git("add", "-A")
	h.git("commit", "-q", "--allow-empty", "-m", name)
	h.commits = append(h.commits, h.git("rev-parse", "HEAD"))
	h.has.at[oid] = h.now
	delete(h.never, oid)
}

func (h *largeHistory) change(step int) {
	h.t.Helper()
	h.now = h.now.Add(time.Duration(h.random.IntN(30)) * time.Minute)
	name := fmt.Sprint("refs/heads/b", h.random.IntN(4))
	commit := h.commits[h.random.IntN(len(h.commits))]
	switch h.random.IntN(8) {
	case 0:
		h.git("checkout", "-q", "--orphan", fmt.Sprint("root", step))
		h.git("rm", "-q", "-r", "-f", ".")
		h.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
		h.commitLarge(fmt.Sprint("r", step), h.random.IntN(40))
		h.push(name, h.git("rev-parse", "HEAD"))
	case 1, 2:
		h.git("checkout", "-q", "--detach", commit)
		h.commitLarge(fmt.Sprint("dir", h.random.IntN(2), "/f", h.random.IntN(3)), h.random.IntN(40))
		h.push(name, h.git("rev-parse", "HEAD"))
	case 3:
		h.push(name, commit)
	case 4:
		h.keep(commit)
	case 5:
		h.git("tag", "-f", "-a", "-m", fmt.Sprint(step), "inner", commit)
		h.push(fmt.Sprint("refs/tags/t", h.random.IntN(3)), h.git("rev-parse", "inner"))
	default:
		if refs := h.refs(); len(refs) > 1 {
			h.drop(strings.Fields(refs[h.random.IntN(len(refs))])[1])
		}
	}
	if h.random.IntN(12) == 0 {
		h.server("repack", "-q", "-a", "-d", "-k")
	}
	h.repos.Maintain(h.t.Context(), h.ref)
	// Clients here take the objects of older commits for pushed.
	for oid := range h.named() {
		if h.has.at[oid].IsZero() {
			h.never[oid] = true
		}
	}
}

// compareLarge prunes, and says by git's means which objects must be left.
func (h *largeHistory) compareLarge(step int) {
	h.t.Helper()
	byRefs, before := h.named(), keysOf(h.has.at)
	want := map[string]bool{}
	for oid, at := range h.has.at {
		if at.After(h.now.Add(-randomGrace)) {
			want[oid] = true
		}
	}
	h.compare(step) // all that git has then is what leads somewhere, or did lately
	for _, oid := range h.pointers() {
		if before[oid] {
			want[oid] = true
		}
	}
	have := keysOf(h.has.at)
	if !maps.Equal(want, have) {
		h.t.Fatalf("step %d: of %d objects %d are to be left, and %d are", step, len(before), len(want), len(have))
	}
	for oid := range byRefs {
		if before[oid] && !have[oid] {
			h.t.Errorf("step %d: git-lfs finds %s, which went", step, oid)
		}
	}
}

// pointers returns what each pointer of the repository names, by its blob.
func (h *largeHistory) pointers() map[string]string {
	h.t.Helper()
	found := map[string]string{}
	rest := h.server("cat-file", "--batch", "--batch-all-objects") + "\n\n\n\n" // what was trimmed of the last one
	for strings.TrimSpace(rest) != "" {
		var head, name, kind string
		var size int
		head, rest, _ = strings.Cut(rest, "\n")
		if _, err := fmt.Sscan(head, &name, &kind, &size); err != nil || size >= len(rest) {
			h.t.Fatalf("%q: %v", head, err)
		}
		_, after, is := strings.Cut(rest[:size], "\noid sha256:")
		if is && kind == "blob" {
			oid, _, _ := strings.Cut(after, "\n")
			found[name] = strings.TrimSpace(oid)
		}
		rest = rest[size+1:]
	}
	return found
}

// pushLarge has a commit with a content of Git LFS under a ref, whose object was used now.
func (p *pusher) pushLarge(has *used, ref string, n int) (commit, oid string) {
	p.t.Helper()
	content, oid := large(n)
	p.git("checkout", "-q", "--orphan", fmt.Sprint("large", n))
	commit = p.commit("large.bin", content)
	p.push(ref, commit)
	has.at[oid] = p.now
	return commit, oid
}

// What nothing names goes a grace time after the last ref went, and not before its own last use is as long ago.
func TestPruneLargeWaits(t *testing.T) {
	p, has := newLargePusher(t)
	p.push("refs/heads/main", p.newHistory("main", 500))
	const grace = time.Hour
	_, oid := p.pushLarge(has, "refs/heads/a", 1)
	step := func(after time.Duration, want int, when string) {
		t.Helper()
		p.now = p.now.Add(after)
		done := p.pruned(grace)
		if done.Large != want || done.LargeBytes != int64(want)*sizeOfLarge {
			t.Errorf("%s %+v went", when, done)
		}
	}
	step(10*grace, 0, "with a ref")
	p.drop("refs/heads/a")
	step(0, 0, "without it")
	step(grace-time.Second, 0, "within the grace time")
	has.at[oid] = p.now // a client is told that it is there
	step(time.Second, 0, "used again")
	step(grace-2*time.Second, 0, "within that one's time")
	step(time.Second, 1, "after both")
	step(grace, 0, "again")
}

// A clock that was ahead once has nothing stay until it is that late: neither what was unneeded then, nor what is since.
func TestPruneAfterAClockThatWasAhead(t *testing.T) {
	for name, before := range map[string]func(p *pusher){
		"nothing": func(*pusher) {},
		"a history": func(p *pusher) {
			p.push("refs/heads/gone", p.newHistory("gone", 1<<20))
			p.drop("refs/heads/gone")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, has := newLargePusher(t)
			p.push("refs/heads/main", p.newHistory("main", 500))
			const grace, ahead = time.Hour, 1000 * time.Hour
			before(p)
			p.now = p.now.Add(ahead)
			p.pruned(grace)
			p.now = p.now.Add(-ahead)
			_, oid := large(1)
			has.at[oid] = p.now // uploaded, and never pushed
			var done Pruned
			for range 2 { // it is seen, and then its time is over
				again := p.pruned(grace)
				done.Large, done.Objects = done.Large+again.Large, done.Objects+again.Objects
				p.now = p.now.Add(grace)
			}
			again := p.pruned(grace)
			if done.Large+again.Large != 1 || (done.Objects+again.Objects > 0) != (name != "nothing") {
				t.Errorf("%+v and then %+v went", done, again)
			}
		})
	}
}

// A repository in which nothing changed is not looked through again, but for what was used last since.
func TestPruneLargeLooksOnce(t *testing.T) {
	p, has := newLargePusher(t)
	_, oid := p.pushLarge(has, "refs/heads/main", 1)
	p.now = p.now.Add(time.Hour)
	p.pruned(time.Minute)
	dir := filepath.Join(p.repos.path(p.ref), "objects", "pack")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var packs []string
	for _, f := range files {
		if filepath.Ext(f.Name()) == ".pack" {
			packs = append(packs, filepath.Join(dir, f.Name()))
		}
	}
	if len(packs) != 1 {
		t.Fatalf("%q", packs)
	}
	text, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	write := func(text []byte) {
		if err := os.WriteFile(packs[0], text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(packs[0], 0o600); err != nil {
		t.Fatal(err)
	}
	write(bytes.Repeat([]byte{255}, len(text))) // who looks through it fails
	p.now = p.now.Add(time.Hour)
	if done := p.pruned(time.Minute); done != (Pruned{}) {
		t.Errorf("%+v went", done)
	}
	_, stray := large(2)
	has.at[stray] = p.now
	p.now = p.now.Add(time.Hour)
	if done, err := p.prune(time.Minute); err == nil || done != (Pruned{}) {
		t.Errorf("of a damaged repository %+v went: %v", done, err)
	}
	write(text)
	if done := p.pruned(time.Minute); done.Large != 1 || has.at[oid].IsZero() {
		t.Errorf("%+v went, and left are %v", done, has.at)
	}
}

// Whatever leads to a pointer between the look and the removal keeps its object, and so do objects in no pack and submodules.
func TestPruneLargeSpares(t *testing.T) {
	const grace = time.Hour
	for name, c := range map[string]struct {
		before func(p *pusher, commit string) // the look
		meet   func(p *pusher, commit string) // between it and the last one
		stays  bool
		later  bool
	}{
		"nothing": {},
		"a ref":   {meet: func(p *pusher, commit string) { p.push("refs/heads/again", commit) }, stays: true, later: true},
		"another commit": {meet: func(p *pusher, commit string) {
			tree := p.git("rev-parse", commit+"^{tree}")
			p.push("refs/heads/again", p.git("commit-tree", tree, "-m", "another"))
		}, stays: true, later: true},
		"a pointer that came new": {meet: func(p *pusher, _ string) {
			_, oid := large(1)
			p.git("checkout", "-q", "--orphan", "new")
			p.git("rm", "-q", "-r", "-f", ".")
			p.push("refs/heads/again", p.commit("other.txt", fmt.Sprintf(canonicalPointer+"\n", oid, sizeOfLarge)))
		}, stays: true},
		"a pointer in no pack": {before: func(p *pusher, commit string) {
			cmd := p.command("--git-dir", p.repos.path(p.ref), "hash-object", "-w", "--stdin")
			cmd.Stdin = strings.NewReader(p.git("cat-file", "-p", commit+":large.bin") + "\n\n")
			if out, err := cmd.CombinedOutput(); err != nil {
				p.t.Fatalf("%v: %s", err, out)
			}
		}, stays: true},
		"a hidden ref": {before: func(p *pusher, commit string) {
			p.push("refs/heads/again", commit)
			if err := p.repos.Keep(p.t.Context(), p.ref, commit); err != nil {
				p.t.Fatal(err)
			}
			p.drop("refs/heads/again")
		}, stays: true},
		"a version": {before: func(p *pusher, commit string) {
			p.repos.AskForNeeded(func(context.Context, catalog.ImageRef) ([]string, error) { return []string{commit}, nil })
		}, stays: true},
		"submodules": {before: func(p *pusher, _ string) {
			p.git("checkout", "-q", "--orphan", "modules")
			p.push("refs/heads/modules", p.commit(".gitmodules", ""))
		}, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			p, has := newLargePusher(t)
			p.push("refs/heads/main", p.newHistory("main", 500))
			commit, oid := p.pushLarge(has, "refs/heads/a", 1)
			p.drop("refs/heads/a")
			if c.before != nil {
				c.before(p, commit)
			}
			p.pruned(grace) // sees it
			p.now = p.now.Add(grace)
			asked := 0
			if c.meet != nil {
				p.repos.AskForNeeded(func(context.Context, catalog.ImageRef) ([]string, error) {
					if asked++; asked == 2 {
						c.meet(p, commit)
					}
					return nil, nil
				})
			}
			done, err := p.prune(grace)
			if code := catalog.CodeOf(err); c.later && code != catalog.Unavailable || !c.later && err != nil {
				t.Errorf("got %v", err)
			}
			if _, there := has.at[oid]; there != c.stays || done.Large == 0 != c.stays {
				t.Errorf("it is there: %v, and %+v went", there, done)
			}
		})
	}
}
