//go:build torture || soak

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// standing is what clients know of a version.
type standing int

const (
	unanswered standing = iota // it may be there, and is whole if it is
	kept                       // it is there
	faulty                     // its sources don't build
	deleted                    // it is not there, or never was
)

// entry is one version, as its clients know it.
type entry struct {
	image, tag string
	standing   standing
	number     int    // of its image
	commit     string // of a push
	content    string // of the files content and copy of a build
	digest     string // once it is known
	busy       bool   // a client is at it
	seen       bool   // the check looked at the whole of it
	stays      bool   // a pull keeps it from retention
}

func (e *entry) name() string { return e.image + ":" + e.tag }

// ledger is what clients were told of all versions. Who takes an entry is alone with it until it is put back.
type ledger struct {
	mu      sync.Mutex
	entries []*entry
	made    map[string]int // by image, but for those of faulty sources
}

// add makes a busy entry.
func (l *ledger) add(e entry) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.busy = true
	l.count(&e)
	l.entries = append(l.entries, &e)
	return &e
}

// anew makes an entry that was taken the newest of its image: its name is made again.
func (l *ledger) anew(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(e)
}

func (l *ledger) count(e *entry) {
	if !strings.HasPrefix(e.tag, badTag) {
		l.made[e.image]++
	}
	e.number = l.made[e.image]
}

// take returns one of the idle entries that are so and fit, nil when there is none.
func (l *ledger) take(dice *rand.Rand, is standing, fits func(*entry) bool) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []*entry
	for _, e := range l.entries {
		if !e.busy && e.standing == is && fits(e) {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return nil
	}
	e := found[dice.IntN(len(found))]
	e.busy = true
	return e
}

// put gives an entry back with what is known of it now.
func (l *ledger) put(e *entry, is standing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.standing, e.busy = is, false
}

func (l *ledger) all(is standing) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.entries), func(e *entry) bool { return e.standing != is })
}

func (l *ledger) summary() string {
	return fmt.Sprintf("%d versions kept, %d unanswered, %d of faulty sources, %d deleted", len(l.all(kept)), len(l.all(unanswered)), len(l.all(faulty)), len(l.all(deleted)))
}

// later counts what came of an entry's image after it. It is for fits of take, or where no client acts.
func (l *ledger) later(e *entry) int {
	return l.made[e.image] - e.number
}

func ofImage(image string) func(*entry) bool { return func(e *entry) bool { return e.image == image } }

// Retention goes by when a version was built, also where its name is an older one.
func TestLedgerCountsNamesMadeAgain(t *testing.T) {
	l := &ledger{made: map[string]int{}}
	first, second := l.add(entry{image: "a", tag: "v1"}), l.add(entry{image: "a", tag: "v2"})
	l.anew(first)
	if l.later(first) != 0 || l.later(second) != 1 {
		t.Errorf("after the first is %d, after the second %d", l.later(first), l.later(second))
	}
}
