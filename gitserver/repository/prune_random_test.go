package repository

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs/refstest"
)

// What is left of any history is what git says that refs lead to, and what they led to lately.
func TestPruneOfRandomHistories(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := &randomHistory{pusher: newPusher(t), random: rand.New(rand.NewPCG(seed, 1)), since: map[string]time.Time{}}
			h.push("refs/heads/main", h.newHistory("main", 300))
			h.commits = append(h.commits, h.git("rev-parse", "HEAD"))
			for step := range 60 {
				h.step(step)
				if step%4 == 3 {
					h.compare(step)
				}
			}
		})
	}
}

// randomHistory grows at random, and knows what may be gone of it.
type randomHistory struct {
	*pusher
	random  *rand.Rand
	commits []string             // of the clone
	since   map[string]time.Time // that objects were seen without a ref
}

const randomGrace = time.Hour

func (h *randomHistory) step(step int) {
	h.t.Helper()
	h.now = h.now.Add(time.Duration(h.random.IntN(30)) * time.Minute)
	name := fmt.Sprint("refs/heads/b", h.random.IntN(4))
	commit := h.commits[h.random.IntN(len(h.commits))]
	switch h.random.IntN(10) {
	case 0:
		h.commits = append(h.commits, h.newHistory(fmt.Sprint("root", step), 200+h.random.IntN(3000)))
		h.push(name, h.git("rev-parse", "HEAD"))
	case 1, 2:
		h.git("checkout", "-q", "--detach", commit)
		h.commits = append(h.commits, h.commit(fmt.Sprint("dir", h.random.IntN(3), "/f", h.random.IntN(5)), manyLines(5+h.random.IntN(40), fmt.Sprint(h.random.IntN(6)))))
		h.push(name, h.git("rev-parse", "HEAD"))
	case 3:
		h.git("checkout", "-q", "--detach", commit)
		other := h.commits[h.random.IntN(len(h.commits))]
		h.git("merge", "-q", "--allow-unrelated-histories", "-s", "ours", "-m", fmt.Sprint("merge ", step), other)
		h.commits = append(h.commits, h.git("rev-parse", "HEAD"))
		h.push(name, h.git("rev-parse", "HEAD"))
	case 4:
		h.push(name, commit) // perhaps what is there and no ref leads to, perhaps what is gone
	case 5:
		h.git("tag", "-f", "-a", "-m", fmt.Sprint(step), "inner", commit)
		h.git("tag", "-f", "-a", "-m", fmt.Sprint(step), "outer", "inner")
		h.push(fmt.Sprint("refs/tags/t", h.random.IntN(3)), h.git("rev-parse", "outer"))
	case 6:
		h.push("refs/notes/tree", h.git("rev-parse", commit+"^{tree}"))
	case 7:
		h.keep(commit)
	default:
		if refs := h.refs(); len(refs) > 1 {
			h.drop(strings.Fields(refs[h.random.IntN(len(refs))])[1])
		}
	}
	if h.random.IntN(12) == 0 {
		h.server("repack", "-q", "-a", "-d", "-k") // as merges do, which keep all
	}
	h.repos.Maintain(h.t.Context(), h.ref)
}

// keep gives a commit a hidden ref or takes it away.
func (h *randomHistory) keep(commit string) {
	h.t.Helper()
	err := h.repos.Keep(h.t.Context(), h.ref, commit)
	if catalog.CodeOf(err) == catalog.NotFound {
		return // it is gone
	}
	if err == nil && h.random.IntN(2) == 0 {
		err = h.repos.DropKept(h.t.Context(), h.ref, []string{commit})
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// compare prunes and says by git's means what must be left.
func (h *randomHistory) compare(step int) {
	h.t.Helper()
	before := h.all()
	reached := lineSet(h.server("rev-list", "--objects", "--all"))
	recent := []string{"rev-list", "--objects", "--ignore-missing", "--all"}
	since := map[string]time.Time{}
	for name := range before {
		if reached[name] {
			continue
		}
		since[name] = h.now
		if known, ok := h.since[name]; ok {
			since[name] = known
		}
		if since[name].After(h.now.Add(-randomGrace)) {
			recent = append(recent, name)
		}
	}
	h.since = since
	want := lineSet(h.server(recent...))
	h.pruned(randomGrace)
	have := h.all()
	if !maps.Equal(want, have) {
		h.t.Fatalf("step %d: of %d objects %d are to be left, and %d are", step, len(before), len(want), len(have))
	}
	h.wantWhole(fmt.Sprint("after step ", step))
}

// failingStorage fails at one of its operations, the removal of each pack being one.
type failingStorage struct {
	objects.Storage
	left *int // operations until then; below 0: none fails
}

var errStorage = errors.New("the storage failed")

func (s failingStorage) fails() error {
	*s.left--
	if *s.left == 0 {
		return errStorage
	}
	return nil
}

func (s failingStorage) Put(name, pack, index string) error {
	if err := s.fails(); err != nil {
		return err
	}
	return errors.Join(s.Storage.Put(name, pack, index), s.fails())
}

func (s failingStorage) Remove(names ...string) error {
	for _, name := range names {
		if err := errors.Join(s.fails(), s.Storage.Remove(name)); err != nil {
			return err
		}
	}
	return s.fails()
}

// Wherever a pruning is cut short, what is there is whole: at once when the daemon lives on, or once it has started again.
func TestPruneCutShort(t *testing.T) {
	for _, storage := range []bool{false, true} {
		for _, restart := range []bool{true, false} {
			for _, after := range []bool{false, true} {
				if storage && after {
					continue // it counts both
				}
				for at, done := 1, false; !done; at++ {
					done = pruneCutShort(t, at, storage, restart, after)
				}
			}
		}
	}
}

// pruneCutShort has an operation of the storage or the disk fail, and reports whether there was none of that number.
func pruneCutShort(t *testing.T, at int, storage, restart, after bool) (none bool) {
	t.Helper()
	name := fmt.Sprintf("operation %d, of the storage: %v, after it is done: %v, with a restart: %v", at, storage, after, restart)
	left, disk := -1, &refstest.FailingDisk{}
	p := newPusherOn(t, Stores{Disk: disk, Objects: func(dir string) objects.Storage { return failingStorage{objects.Files(dir), &left} }})
	main := p.newHistory("main", 2000)
	p.push("refs/heads/main", main)
	// The commit in one pack, its tree in another, and in a third what of it is needed.
	a := p.newHistory("a", 2000)
	p.push("refs/notes/tree", p.git("rev-parse", a+"^{tree}"))
	p.push("refs/heads/a", a)
	child := p.commit("child", "child")
	p.push("refs/heads/child", child)
	p.push("refs/notes/blob", p.git("rev-parse", a+":noise"))
	for _, gone := range []string{"refs/heads/a", "refs/heads/child", "refs/notes/tree"} {
		p.drop(gone)
	}
	disk.FailAt(0, false)
	if storage {
		left = at
	} else {
		disk.FailAt(at, after)
	}
	_, err := p.prune(0)
	done := disk.FailAt(0, false)
	if none = storage && left > 0 || !storage && len(done) < at; none != (err == nil) {
		t.Errorf("%s: %v", name, err)
	}
	left = -1
	if restart {
		if p.repos, err = Open(p.repos.dir, objects.NewBudget(), nil); err != nil {
			t.Fatal(err)
		}
	}
	// What has no pack of its own refers to what may be gone.
	for tag, commit := range map[string]string{"v1": child, "v2": a} {
		if err := p.repos.SetTag(t.Context(), p.ref, tag, commit); err != nil && catalog.CodeOf(err) != catalog.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.wantWhole(name)
	p.push("refs/heads/child", child)
	p.wantWhole(name + ", after a push")
	for _, gone := range []string{"refs/heads/child", "refs/tags/v1", "refs/tags/v2"} {
		if slices.ContainsFunc(p.refs(), func(line string) bool { return strings.HasSuffix(line, gone) }) {
			p.drop(gone)
		}
	}
	p.pruned(0)
	if want, have := lineSet(p.server("rev-list", "--objects", "--all")), p.all(); !maps.Equal(want, have) {
		t.Errorf("%s: %d objects are there at last, and refs lead to %d", name, len(have), len(want))
	}
	return none
}

// However pushes, uploads and pruning meet, no ref leads to what is not there.
func TestPruneWhilePushed(t *testing.T) {
	p := newPusher(t)
	const pushers, rounds = 3, 25
	type history struct{ commit, child string }
	var histories []history
	for i := range 4 { // which are pushed by all
		a := p.newHistory(fmt.Sprint("h", i), 2000)
		histories = append(histories, history{a, p.commit("child", fmt.Sprint(i))})
	}
	p.push("refs/heads/main", p.newHistory("main", 2000))
	packs := map[string][]byte{}
	for _, h := range histories {
		packs[h.commit], packs[h.child] = p.pack(h.commit), p.pack(h.child, "^"+h.commit)
		packs["whole "+h.child] = p.pack(h.child)
	}
	stop := make(chan struct{})
	var pruning, pushing sync.WaitGroup
	var removed, refused int
	var counts sync.Mutex
	pruning.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			done, err := p.prune(0)
			if err != nil && catalog.CodeOf(err) != catalog.Unavailable {
				t.Error(err)
				return
			}
			removed += done.Objects
			p.repos.Maintain(t.Context(), p.ref)
		}
	})
	for n := range pushers {
		pushing.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 3)) //nolint:gosec // a test's
			for range rounds {
				h := histories[random.IntN(len(histories))]
				pack, to := packs["whole "+h.child], h.child
				switch random.IntN(3) {
				case 0:
					pack = packs[h.child] // it relies on what may be there
				case 1:
					pack, to = nil, h.commit
				}
				name := fmt.Sprint("refs/heads/p", n)
				err := p.pushNow(pack, to, name)
				var missing *objects.MissingError
				if catalog.CodeOf(err) == catalog.Unavailable || errors.Is(err, objects.ErrNotFound) || errors.As(err, &missing) || errors.Is(err, objects.ErrCorrupt) {
					counts.Lock()
					refused++
					counts.Unlock()
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if err := p.leads(to); err != nil {
					t.Errorf("%s was pushed: %v", to, err)
				}
				p.drop(name)
			}
		})
	}
	pushing.Wait()
	close(stop)
	pruning.Wait()
	t.Logf("%d objects were removed, %d pushes refused", removed, refused)
	if removed == 0 || refused == 0 {
		t.Error("they did not meet")
	}
	p.wantWhole("at the end")
}

// pushNow pushes from the beginning to the end.
func (p *pusher) pushNow(pack []byte, to, name string) error {
	q, err := p.begin(pack, to)
	if err == nil {
		err = p.end(q, name, to)
	}
	q.discard()
	return err
}

// leads reports by its error whether all is there that an object leads to, as a reader sees it that comes now.
func (p *pusher) leads(to string) error {
	repo, err := p.repos.Open(p.ref)
	if err != nil {
		return err
	}
	defer objects.Discard(repo)
	census, err := repo.Objects.Census()
	if err != nil {
		return err
	}
	return census.Mark(context.Background(), census.NewSet(), []plumbing.Hash{plumbing.NewHash(to)}, nil, true)
}

// Each version replaces the history of its app, and the last 5 stay: neither bytes nor objects grow with what was pushed.
func TestPruneBoundsRepositories(t *testing.T) {
	p := newPusher(t)
	const pushes, keep, size, grace = 150, 5, 8 << 10, time.Hour
	var tags []string
	most, mostObjects := int64(0), 0
	for i := range pushes {
		p.now = p.now.Add(10 * time.Minute)
		name := fmt.Sprintf("v%d", i)
		commit := p.newHistory(name, size)
		q, err := p.begin(p.pack(commit), commit)
		if err == nil {
			err = p.end(q, "refs/tags/"+name, commit)
		}
		if err != nil {
			t.Fatal(err)
		}
		q.discard()
		if tags = append(tags, name); len(tags) > keep {
			p.drop("refs/tags/" + tags[0])
			tags = tags[1:]
		}
		p.repos.Maintain(t.Context(), p.ref)
		if i%6 == 5 { // an hour's
			if _, err := p.repos.Prune(t.Context(), p.ref, p.now, grace); err != nil {
				t.Fatal(err)
			}
			most, mostObjects = max(most, p.repos.Used(p.ref)), max(mostObjects, len(p.all()))
		}
	}
	// Those that stay, those of the grace time and an hour, what is not worth it, and the same again for what a pack has beside them.
	const versions = keep + 2*6
	if limit := int64(2*versions*size + 64<<10); most > limit {
		t.Errorf("%d versions of %d bytes take %d at most, more than %d", keep, size, most, limit)
	}
	if limit := 5 * 2 * (versions + 64<<10/size); mostObjects > limit {
		t.Errorf("there were up to %d objects, more than %d", mostObjects, limit)
	}
	t.Logf("of %d pushes of %d bytes at most %d bytes and %d objects", pushes, size, most, mostObjects)
	p.wantWhole("at the end")
}
