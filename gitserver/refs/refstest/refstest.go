// Package refstest holds the suite that every refs.Store must pass, and a disk that fails.
package refstest

import (
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// TestStore is what every refs.Store must pass. store is empty at first, and holds some refs at the end. commits,
// of which there are at least three, are objects that refs may name.
func TestStore(t *testing.T, store refs.Store, commits []plumbing.Hash) {
	t.Run("a snapshot stays as it is", func(t *testing.T) { testSnapshot(t, store, commits) })
	clearStore(t, store)
	t.Run("one of many who change the same ref wins", func(t *testing.T) { testRace(t, store, commits) })
	clearStore(t, store)
	t.Run("changes are those of a map", func(t *testing.T) { testAgainstMap(t, store, commits) })
}

// clearStore deletes all refs.
func clearStore(t *testing.T, store refs.Store) {
	t.Helper()
	var changes []refs.Change
	err := refs.Each(store, "refs/", func(r refs.Ref) error {
		changes = append(changes, refs.Change{Name: r.Name, Old: r.Hash})
		return nil
	})
	if err = errors.Join(err, refs.UpdateAll(store, changes...)); err != nil {
		t.Fatal(err)
	}
	compare(t, store, nil)
}

// testAgainstMap makes changes at random, some of which can't be made, and compares with a map.
func testAgainstMap(t *testing.T, store refs.Store, commits []plumbing.Hash) {
	names := []string{"refs/heads/a", "refs/heads/a/b", "refs/heads/a/b/c", "refs/heads/a-b", "refs/heads/a.b", "refs/heads/ab", "refs/tags/a/b", "refs/tags/a", "refs/x/y"}
	for i := range 30 {
		names = append(names, fmt.Sprintf("refs/tags/v%d", i))
	}
	model := map[string]plumbing.Hash{}
	clashes := func(name string) bool {
		for other := range model {
			if strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/") {
				return true
			}
		}
		return false
	}
	random := mathrand.New(mathrand.NewPCG(1, 2)) //nolint:gosec // the same each time
	done := map[bool]int{}
	for round := range 300 {
		before := maps.Clone(model)
		var changes []refs.Change
		var want []bool
		for _, i := range random.Perm(len(names))[:1+random.IntN(6)] {
			c := refs.Change{Name: names[i], Old: model[names[i]]}
			if random.IntN(8) == 0 {
				c.Old = commits[random.IntN(len(commits))]
			}
			if random.IntN(3) > 0 {
				c.New = commits[random.IntN(len(commits))]
			}
			ok := c.Old == model[c.Name] && (!c.Old.IsZero() || c.New.IsZero() || !clashes(c.Name))
			changes, want = append(changes, c), append(want, ok)
			if ok && c.New.IsZero() {
				delete(model, c.Name)
			} else if ok {
				model[c.Name] = c.New
			}
		}
		allOrNone := random.IntN(2) == 0
		if allOrNone && slices.Contains(want, false) {
			model = before
			clear(want)
		}
		refused, err := store.Update(changes, allOrNone)
		if err != nil {
			t.Fatal(err)
		}
		for i, ok := range want {
			done[ok]++
			if ok != (refused[i] == nil) || !ok && catalog.CodeOf(refused[i]) != catalog.Conflict {
				t.Fatalf("round %d, all or none %v: %+v was refused by %v; of %+v", round, allOrNone, changes[i], refused[i], changes)
			}
		}
		compare(t, store, model)
	}
	if done[true] < 100 || done[false] < 100 {
		t.Errorf("the changes were too much alike: %v", done)
	}
}

// compare reads a store in every way there is.
func compare(t *testing.T, store refs.Store, model map[string]plumbing.Hash) {
	t.Helper()
	snapshot, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Discard(snapshot)
	compareSnapshot(t, snapshot, model)
}

func compareSnapshot(t *testing.T, snapshot refs.Snapshot, model map[string]plumbing.Hash) {
	t.Helper()
	for _, prefix := range []string{"refs/", "refs/heads/a", "refs/tags/v1", "refs/none/"} {
		var got, want []string
		err := snapshot.Each(prefix, func(r refs.Ref) error {
			got = append(got, r.Name+" "+r.Hash.String())
			return nil
		})
		for name, h := range model {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name+" "+h.String())
			}
			if r, ok, err := snapshot.Find(name); !ok || err != nil || r.Hash != h {
				t.Errorf("%s is %+v, %v, %v, want %s", name, r, ok, err, h)
			}
		}
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%s holds (%v)\n%s\nwant\n%s", prefix, err, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if _, ok, err := snapshot.Find("refs/heads/none"); ok || err != nil {
		t.Errorf("a ref that is not there: %v, %v", ok, err)
	}
}

// testSnapshot changes a store while a snapshot of it is open.
func testSnapshot(t *testing.T, store refs.Store, commits []plumbing.Hash) {
	model := map[string]plumbing.Hash{"refs/heads/a": commits[0], "refs/tags/v1": commits[1]}
	for name, h := range model {
		if err := refs.UpdateAll(store, refs.Change{Name: name, New: h}); err != nil {
			t.Fatal(err)
		}
	}
	snapshot, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Discard(snapshot)
	err = refs.UpdateAll(store,
		refs.Change{Name: "refs/heads/a", Old: commits[0], New: commits[2]},
		refs.Change{Name: "refs/tags/v1", Old: commits[1]},
		refs.Change{Name: "refs/tags/v10", New: commits[1]})
	if err != nil {
		t.Fatal(err)
	}
	compareSnapshot(t, snapshot, model)
	compare(t, store, map[string]plumbing.Hash{"refs/heads/a": commits[2], "refs/tags/v10": commits[1]})
	stop := errors.New("enough")
	if err := snapshot.Each("refs/", func(refs.Ref) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the visitor's error came back as %v", err)
	}
}

// testRace has many make the same ref, and then all of them move it from what it was then.
func testRace(t *testing.T, store refs.Store, commits []plumbing.Hash) {
	for _, c := range []refs.Change{{Name: "refs/heads/raced", New: commits[0]}, {Name: "refs/heads/raced", Old: commits[0], New: commits[1]}} {
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = refs.UpdateAll(store, c) })
		}
		all.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if catalog.CodeOf(err) != catalog.Conflict {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d of %d moved the ref: %v", won, len(errs), errors.Join(errs...))
		}
		compare(t, store, map[string]plumbing.Hash{"refs/heads/raced": c.New})
	}
}
