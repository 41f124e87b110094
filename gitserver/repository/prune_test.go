package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/objects/storagetest"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// pusher has a clone whose commits go into a repository as pushes do.
type pusher struct {
	*workTree
	ref catalog.ImageRef
	now time.Time
}

func newPusher(t *testing.T) *pusher {
	t.Helper()
	return newPusherOn(t, Stores{})
}

func newPusherOn(t *testing.T, on Stores) *pusher {
	t.Helper()
	repos, err := OpenOn(on, t.TempDir(), objects.NewBudget(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &pusher{&workTree{t, t.TempDir(), repos}, importRef, time.Unix(1_700_000_000, 0)}
	p.git("init", "-q", "-b", "main")
	return p
}

// pack packs what is wanted and not there: names of objects, and of those that the server has with "^" before them.
func (p *pusher) pack(revisions ...string) []byte {
	p.t.Helper()
	cmd := p.command("pack-objects", "--revs", "--thin", "--stdout", "-q")
	cmd.Stdin = strings.NewReader(strings.Join(revisions, "\n") + "\n")
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// begin has a pack checked as a push of a ref to an object does; an empty one is none.
func (p *pusher) begin(pack []byte, to string) (*Quarantine, error) {
	p.t.Helper()
	q, err := p.repos.NewQuarantine(p.ref)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { q.discard() })
	if len(pack) > 0 {
		err = q.Receive(bytes.NewReader(pack), objects.Limits{}, nil)
	}
	if err == nil {
		err = q.Check(p.t.Context())
	}
	if err == nil {
		_, err = q.Peel(plumbing.NewHash(to))
	}
	return q, err
}

// end sets the ref, whatever it was.
func (p *pusher) end(q *Quarantine, name, to string) error {
	return q.Enter(nil, func(repo *Repository) error {
		if err := q.Install(repo); err != nil {
			return err
		}
		now, _, err := refs.Read(repo.Refs, name)
		if err != nil || now == plumbing.NewHash(to) {
			return err
		}
		return refs.UpdateAll(repo.Refs, refs.Change{Name: name, Old: now, New: plumbing.NewHash(to)})
	})
}

// push does both with what a client would send, which goes by the refs.
func (p *pusher) push(name, to string) {
	p.t.Helper()
	revisions := []string{to}
	for _, line := range p.refs() {
		revisions = append(revisions, "^"+strings.Fields(line)[0])
	}
	q, err := p.begin(p.pack(revisions...), to)
	if err == nil {
		err = p.end(q, name, to)
	}
	if err != nil {
		p.t.Fatalf("push %s to %s: %v", to, name, err)
	}
	q.discard()
}

func (p *pusher) refs() []string {
	out := p.server("for-each-ref", "--format=%(objectname) %(refname)")
	return strings.FieldsFunc(out, func(r rune) bool { return r == '\n' })
}

// server runs git in the repository.
func (p *pusher) server(args ...string) string {
	p.t.Helper()
	if _, err := os.Stat(p.repos.path(p.ref)); err != nil {
		return ""
	}
	return p.git(append([]string{"--git-dir", p.repos.path(p.ref)}, args...)...)
}

// drop deletes a ref.
func (p *pusher) drop(name string) {
	p.t.Helper()
	err := p.repos.Change(p.ref, func(repo *Repository) error {
		now, _, err := refs.Read(repo.Refs, name)
		if err == nil {
			err = refs.UpdateAll(repo.Refs, refs.Change{Name: name, Old: now})
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// prune removes all that it may.
func (p *pusher) prune(grace time.Duration) (Pruned, error) {
	return p.repos.prune(p.t.Context(), p.ref, pruning{now: p.now, grace: grace, part: 1 << 40})
}

func (p *pusher) pruned(grace time.Duration) Pruned {
	p.t.Helper()
	done, err := p.prune(grace)
	if err != nil {
		p.t.Fatal(err)
	}
	return done
}

// all returns the objects of the repository.
func (p *pusher) all() map[string]bool {
	return lineSet(p.server("cat-file", "--batch-all-objects", "--batch-check=%(objectname)"))
}

func lineSet(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); name != "" {
			set[name] = true
		}
	}
	return set
}

// wantWhole looks whether all that any object of the repository names is there, also of those that nothing leads to, and asks git, too.
func (p *pusher) wantWhole(when string) {
	p.t.Helper()
	if out, err := p.command("--git-dir", p.repos.path(p.ref), "fsck", "--full", "--strict", "--no-dangling").CombinedOutput(); err != nil || strings.Contains(string(out), "missing") {
		p.t.Errorf("%s git fsck says: %v\n%s", when, err, out)
	}
	repo, err := p.repos.Open(p.ref)
	if err != nil {
		p.t.Fatal(err)
	}
	defer objects.Discard(repo)
	shallow, err := repo.Shallow()
	if err != nil {
		p.t.Fatal(err)
	}
	for name := range p.all() {
		h := plumbing.NewHash(name)
		typ, data, err := repo.Objects.Get(h)
		if err != nil {
			p.t.Fatalf("%s: %v", when, err)
		}
		links, err := objects.LinksOf(typ, data, slices.Contains(shallow, h))
		if err != nil {
			p.t.Fatal(err)
		}
		for _, l := range links {
			if there, err := repo.Objects.Has(l.Hash); !there {
				p.t.Errorf("%s %s %s is there without %s: %v", when, typ, h, l.Hash, err)
			}
		}
	}
}

// newHistory commits files to a branch without parents, and returns the commit.
func (p *pusher) newHistory(name string, bytes int) string {
	p.t.Helper()
	p.git("checkout", "-q", "--orphan", name)
	noise := make([]byte, bytes/2)
	fill(noise, name)
	p.write("noise", fmt.Sprintf("%x", noise))
	p.write("dir/name", name)
	p.git("add", "-A")
	p.git("commit", "-q", "-m", name)
	return p.git("rev-parse", "HEAD")
}

func fill(b []byte, seed string) {
	random := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32.32s", seed))))
	_, _ = random.Read(b)
}

func TestPruneRemovesWhatNothingLeadsTo(t *testing.T) {
	p := newPusher(t)
	a, b := p.newHistory("a", 1000), p.newHistory("b", 1000)
	p.push("refs/heads/main", a)
	p.push("refs/heads/main", b)
	before := p.all()
	const grace = time.Hour
	if done := p.pruned(grace); done != (Pruned{}) || len(p.all()) != len(before) {
		t.Errorf("at once %+v went", done)
	}
	p.now = p.now.Add(grace - time.Second)
	if done := p.pruned(grace); done != (Pruned{}) {
		t.Errorf("within the grace time %+v went", done)
	}
	p.now = p.now.Add(time.Second)
	if done := p.pruned(grace); done.Objects != 5 || done.Bytes == 0 {
		t.Errorf("after it %+v went", done)
	}
	if want, have := lineSet(p.server("rev-list", "--objects", "--all")), p.all(); len(have) != len(want) || len(have) != 5 {
		t.Errorf("%d objects are there, and refs lead to %d", len(have), len(want))
	}
	p.wantWhole("then")
	if done := p.pruned(grace); done != (Pruned{}) {
		t.Errorf("again %+v went", done)
	}
	p.push("refs/heads/again", a) // as if it had never been there
	p.wantWhole("after it came again")
}

// What was led to again meanwhile has its time anew.
func TestPruneForgetsSinceWhen(t *testing.T) {
	p := newPusher(t)
	a := p.newHistory("a", 1000)
	p.push("refs/heads/main", p.newHistory("b", 1000))
	p.push("refs/tags/v1", a)
	const grace = time.Hour
	drop := func() { p.drop("refs/tags/v1") }
	for _, does := range []func(){drop, func() { p.push("refs/tags/v1", a) }, drop, func() {}} {
		does()
		if done := p.pruned(grace); done.Objects != 0 {
			t.Errorf("%+v went", done)
		}
		p.now = p.now.Add(grace * 2 / 3)
	}
	if done := p.pruned(grace); done.Objects != 5 {
		t.Errorf("at last %+v went", done)
	}
}

// Beside refs these keep objects: what the catalog needs, objects in no pack, and failed versions' hidden refs.
func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	p := newPusher(t)
	needed, loose, failed, gone := p.newHistory("needed", 500), p.newHistory("loose", 500), p.newHistory("failed", 500), p.newHistory("gone", 500)
	p.push("refs/heads/main", p.newHistory("main", 500))
	for _, commit := range []string{needed, loose, failed, gone} {
		p.push("refs/tags/v1", commit)
	}
	if err := p.repos.Keep(t.Context(), p.ref, failed); err != nil {
		t.Fatal(err)
	}
	p.drop("refs/tags/v1")
	tree := p.server("rev-parse", loose+"^{tree}")
	p.server("commit-tree", tree, "-m", "by an operator")
	p.repos.AskForNeeded(func(context.Context, catalog.ImageRef) ([]string, error) {
		return []string{needed, strings.Repeat("1", 40)}, nil
	})
	p.pruned(0)
	have := p.all()
	if !have[needed] || !have[tree] || !have[failed] || have[gone] || have[loose] {
		t.Errorf("needed %v, loose %v %v, failed %v, gone %v", have[needed], have[tree], have[loose], have[failed], have[gone])
	}
	p.wantWhole("then")
	p.repos.AskForNeeded(nil)
	if err := p.repos.DropKept(t.Context(), p.ref, []string{failed}); err != nil {
		t.Fatal(err)
	}
	p.pruned(0)
	if have = p.all(); have[needed] || have[failed] {
		t.Errorf("needed %v, failed %v", have[needed], have[failed])
	}
}

// What is missing, and what is a fault of the disk, is no reason to remove anything.
func TestPruneOfADamagedRepository(t *testing.T) {
	p := newPusher(t)
	p.push("refs/heads/gone", p.newHistory("gone", 500))
	p.drop("refs/heads/gone")
	p.push("refs/heads/main", p.newHistory("main", 500))
	packed := filepath.Join(p.repos.path(p.ref), "packed-refs")
	text, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(packed, append(text, strings.Repeat("2", 40)+" refs/heads/nowhere\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	before := len(p.all())
	if _, err := p.prune(0); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if now := len(p.all()); now != before {
		t.Errorf("of %d objects %d are left", before, now)
	}
}

// Nothing is removed while a backup runs or an object that it would take is led to again.
func TestPruneTakesTurns(t *testing.T) {
	p := newPusher(t)
	a := p.newHistory("a", 1000)
	p.push("refs/heads/a", a)
	p.push("refs/heads/main", p.newHistory("main", 1000))
	p.drop("refs/heads/a")
	before := len(p.all())
	p.repos.AskBeforeRemoving(func() (func(), error) { return nil, catalog.Errorf(catalog.Unavailable, "a backup is running") })
	if _, err := p.prune(0); catalog.CodeOf(err) != catalog.Unavailable || len(p.all()) != before {
		t.Errorf("while a backup runs: %v", err)
	}
	p.repos.AskBeforeRemoving(nil)
	for _, how := range []string{"a ref", "an upload", "a hold", "nothing"} {
		asked := 0
		var left *Quarantine
		p.repos.AskForNeeded(func(context.Context, catalog.ImageRef) ([]string, error) {
			if asked++; asked != 2 { // between the look at everything and the last one
				return nil, nil
			}
			switch how {
			case "a ref":
				p.push("refs/heads/again", a)
			case "an upload": // which shares what is in a, and of which no ref is set yet
				tree := p.git("rev-parse", a+"^{tree}")
				commit := p.git("commit-tree", tree, "-m", "another")
				q, err := p.begin(p.pack(commit, "^"+a), commit)
				if err == nil {
					err = q.Enter(nil, q.Install)
				}
				if err != nil {
					t.Error(err)
				}
			case "a hold":
				q, err := p.begin(nil, a)
				if err == nil {
					err = q.Enter(nil, func(*Repository) error { left = q; q.Hold([]plumbing.Hash{plumbing.NewHash(a)}); return nil })
				}
				if err != nil {
					t.Error(err)
				}
			}
			return nil, nil
		})
		done, err := p.prune(0)
		if how == "nothing" {
			if err != nil || p.all()[a] {
				t.Errorf("with nothing in the way: %v, %+v", err, done)
			}
			continue
		}
		if catalog.CodeOf(err) != catalog.Unavailable || !p.all()[a] {
			t.Errorf("with %s: %v, %+v", how, err, done)
		}
		p.wantWhole("with " + how)
		switch how {
		case "a ref":
			p.drop("refs/heads/again")
		case "a hold":
			left.identity.held = nil
		}
	}
}

// Objects that a push relied on, and that are gone when it ends, are asked for again.
func TestPushesNoticeWhatWasPruned(t *testing.T) {
	for _, c := range []struct {
		name string
		does func(p *pusher, a string, prune func()) error
	}{
		{"a ref to what was there", func(p *pusher, a string, prune func()) error {
			q, err := p.begin(nil, a)
			if err != nil {
				return err
			}
			prune()
			return p.end(q, "refs/heads/b", a)
		}},
		{"a commit on what was there", func(p *pusher, a string, prune func()) error {
			commit := p.commit("more", "more")
			q, err := p.begin(p.pack(commit, "^"+a), commit)
			if err != nil {
				return err
			}
			prune()
			return p.end(q, "refs/heads/b", commit)
		}},
		{"an upload of files that were there", func(p *pusher, a string, prune func()) error {
			content := p.git("show", a+":noise")
			w, err := p.repos.WriteTree(p.t.Context(), p.ref)
			if err != nil {
				return err
			}
			defer func() { _ = w.Close() }()
			if err := w.File("noise", false, int64(len(content)), strings.NewReader(content)); err != nil {
				return err
			}
			prune()
			_, err = w.Commit(p.t.Context(), catalog.NewCommit{Author: "a", Time: time.Unix(1, 0)})
			return err
		}},
		{"packs that are merged", func(p *pusher, _ string, prune func()) error {
			q, err := p.repos.NewQuarantine(p.ref)
			if err != nil {
				return err
			}
			defer q.discard()
			repo, err := q.Repository()
			if err != nil {
				return err
			}
			census, err := repo.Objects.Census()
			if err != nil {
				return err
			}
			dir, err := q.directory()
			if err != nil {
				return err
			}
			none := census.NewSet()
			if q.merged, err = census.Without(p.t.Context(), dir, none, nil); err != nil {
				return err
			}
			prune()
			return q.Enter(nil, q.Install)
		}},
	} {
		p := newPusher(t)
		p.push("refs/heads/main", p.newHistory("main", 1000))
		a := p.newHistory("a", 1000)
		p.push("refs/heads/a", a)
		p.drop("refs/heads/a")
		err := c.does(p, a, func() {
			if done := p.pruned(0); done.Objects != 5 {
				t.Errorf("%s: %+v", c.name, done)
			}
		})
		if catalog.CodeOf(err) != catalog.Unavailable {
			t.Errorf("%s: got %v", c.name, err)
		}
		p.wantWhole(c.name)
		if err := p.repos.SetTag(t.Context(), p.ref, "v1", a); catalog.CodeOf(err) != catalog.NotFound {
			t.Errorf("%s: a tag of what is gone: %v", c.name, err)
		}
		if err := p.repos.Keep(t.Context(), p.ref, a); catalog.CodeOf(err) != catalog.NotFound {
			t.Errorf("%s: a hidden ref to what is gone: %v", c.name, err)
		}
		p.push("refs/heads/a", a)
		p.wantWhole(c.name + ", again")
	}
}

// What was needed and is kept is no reason to refuse a push that began before.
func TestPushesGoOnWhenOthersArePruned(t *testing.T) {
	p := newPusher(t)
	main := p.newHistory("main", 1000)
	p.push("refs/heads/main", main)
	p.push("refs/heads/a", p.newHistory("a", 1000))
	p.drop("refs/heads/a")
	p.git("checkout", "-q", "main")
	commit := p.commit("more", "more")
	q, err := p.begin(p.pack(commit, "^"+main), commit)
	if err != nil {
		t.Fatal(err)
	}
	if done := p.pruned(0); done.Objects != 5 {
		t.Errorf("%+v", done)
	}
	if err := p.end(q, "refs/heads/main", commit); err != nil {
		t.Error(err)
	}
	p.wantWhole("then")
}

// Who reads has all that was there when it began.
func TestReadersGoOnWhilePruned(t *testing.T) {
	p := newPusher(t)
	p.push("refs/heads/main", p.newHistory("main", 1000))
	a := p.newHistory("a", 1000)
	p.push("refs/heads/a", a)
	repo, err := p.repos.Open(p.ref)
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Discard(repo)
	had := p.all()
	p.drop("refs/heads/a")
	p.pruned(0)
	for name := range had {
		r, err := repo.Objects.Open(plumbing.NewHash(name))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The end of a cut history goes with its commit, and history that is not cut any more is whole.
func TestPruneOfACutHistory(t *testing.T) {
	p := newPusher(t)
	p.newHistory("deep", 500)
	for i := range 3 {
		p.commit("file", fmt.Sprint(i))
	}
	p.git("clone", "-q", "--depth", "1", "file://"+p.dir, "../shallow-of-"+filepath.Base(p.dir))
	cut := &pusher{&workTree{t, filepath.Join(filepath.Dir(p.dir), "shallow-of-"+filepath.Base(p.dir)), p.repos}, p.ref, p.now}
	tip := cut.git("rev-parse", "HEAD")
	q, err := p.repos.NewQuarantine(p.ref)
	if err != nil {
		t.Fatal(err)
	}
	defer q.discard()
	if err := q.Receive(bytes.NewReader(cut.pack(tip)), objects.Limits{}, []plumbing.Hash{plumbing.NewHash(tip)}); err != nil {
		t.Fatal(err)
	}
	if err := q.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.end(q, "refs/heads/deep", tip); err != nil {
		t.Fatal(err)
	}
	main := p.newHistory("main", 500)
	p.push("refs/heads/main", main)
	p.pruned(0)
	if !p.all()[tip] {
		t.Fatal("the tip went")
	}
	p.wantWhole("with the cut history")
	p.drop("refs/heads/deep")
	p.pruned(0)
	if p.all()[tip] || p.server("rev-parse", "--is-shallow-repository") != "false" {
		t.Error("the end of the history stays")
	}
	p.push("refs/heads/main", p.commit("more", "more"))
	p.wantWhole("without it")
}

// Where the disk is full nothing is lost, and when there is room again the rest goes.
func TestPruneOnAFullDisk(t *testing.T) {
	p := newPusher(t)
	a := p.newHistory("a", 1000)
	p.push("refs/heads/a", a)
	p.push("refs/heads/main", p.newHistory("main", 400_000))
	p.server("repack", "-q", "-a", "-d") // so that what is needed has to be written anew
	p.drop("refs/heads/a")
	dir := filepath.Join(p.repos.dir, quarantineDir)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	before := p.all()
	_, err := p.prune(0)
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.ENOSPC) || len(p.all()) != len(before) {
		t.Errorf("got %v; of %d objects %d are left", err, len(before), len(p.all()))
	}
	p.wantWhole("on a full disk")
	if done := p.pruned(0); done.Objects != 5 {
		t.Errorf("then %+v went", done)
	}
}

// A part that is small stays, for the rest would have to be written anew.
func TestPruneWaitsUntilItIsWorthIt(t *testing.T) {
	p := newPusher(t)
	p.push("refs/heads/a", p.newHistory("a", 100_000))
	p.push("refs/heads/main", p.newHistory("main", 900_000))
	p.server("repack", "-q", "-a", "-d")
	p.drop("refs/heads/a")
	for _, want := range []bool{false, true} {
		done, err := p.repos.Prune(t.Context(), p.ref, p.now, 0)
		if err != nil || (done.Objects > 0) != want {
			t.Errorf("%+v went: %v", done, err)
		}
		p.push("refs/heads/a", p.newHistory(fmt.Sprint("b", want), 200_000))
		p.drop("refs/heads/a")
	}
}

func TestPruneInMemory(t *testing.T) {
	memory := &storagetest.Memory{}
	p := newPusherOn(t, Stores{Objects: memory.Storage})
	a, main := p.newHistory("a", 1000), p.newHistory("main", 1000)
	for name, commit := range map[string]string{"refs/heads/a": a, "refs/heads/main": main} {
		q, err := p.begin(p.pack(commit), commit)
		if err == nil {
			err = p.end(q, name, commit)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p.drop("refs/heads/a")
	if done := p.pruned(0); done.Objects != 5 || memory.Count() != 1 {
		t.Errorf("%+v went, %d packs are left", done, memory.Count())
	}
	repo, err := p.repos.Open(p.ref)
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Discard(repo)
	if there, err := repo.Objects.Has(plumbing.NewHash(main)); !there {
		t.Errorf("what is needed went: %v", err)
	}
}
