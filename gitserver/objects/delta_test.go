package objects

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func randomText(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + random.IntN(26))
	}
	return b
}

func TestDeltaSearch(t *testing.T) {
	text := randomText(1, 10_000)
	edited := bytes.Clone(text)
	copy(edited[5000:], "EDITED")
	far := bytes.Clone(text)
	for i := 0; i < len(far); i += 100 {
		far[i] = '.'
	}
	one, other := &packFile{openPack: &openPack{name: "one"}}, &packFile{openPack: &openPack{name: "other"}}
	group := deltaGroup{name: 1}
	for _, c := range []struct {
		name   string
		bases  []deltaBase
		group  deltaGroup
		data   []byte
		pack   *packFile
		base   int32 // -1: none
		at     int   // most bytes of the delta
		before func(*deltaSearch)
	}{
		{"nothing before", nil, group, text, one, -1, 0, nil},
		{"an edit", []deltaBase{{7, other, 0, text}}, group, edited, one, 7, 100, nil},
		{"the same", []deltaBase{{7, other, 0, text}}, group, text, one, 7, 20, nil},
		{"a part", []deltaBase{{7, other, 0, text}}, group, text[100:9000], one, 7, 50, nil},
		{"much longer", []deltaBase{{7, other, 0, text[:300]}}, group, text, one, -1, 0, nil},
		{"nothing alike", []deltaBase{{7, other, 0, randomText(2, 10_000)}}, group, text, one, -1, 0, nil},
		{"the nearest of two", []deltaBase{{7, other, 0, edited}, {8, other, 0, far}}, group, text, one, 7, 100, nil},
		{"both in one pack", []deltaBase{{7, one, 0, text}}, group, edited, one, -1, 0, nil},
		{"neither whole in a pack", []deltaBase{{7, nil, 1, text}}, group, edited, nil, 7, 100, nil},
		{"a chain that is full", []deltaBase{{7, other, maxChain, text}}, group, edited, one, -1, 0, nil},
		{"another name", []deltaBase{{7, other, 0, text}}, deltaGroup{name: 2}, edited, one, -1, 0, nil},
		{"too small", []deltaBase{{7, other, 0, text}}, group, text[:minDeltified-1], one, -1, 0, nil},
		{"all was compared", []deltaBase{{7, other, 0, text}}, group, edited, one, -1, 0, func(s *deltaSearch) { s.compared = maxCompared }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := deltaSearch{budget: NewBudget()}
			s.enter(group)
			for _, b := range c.bases {
				s.keep(b)
			}
			if c.before != nil {
				c.before(&s)
			}
			s.enter(c.group)
			delta, base := s.find(c.data, c.pack)
			if c.base < 0 {
				if delta != nil {
					t.Fatalf("a delta of %d bytes", len(delta))
				}
				return
			}
			if delta == nil || base.object != c.base || len(delta) > c.at {
				t.Fatalf("%d bytes of %d, want %d", len(delta), base.object, c.base)
			}
			if made, err := applyDelta(nil, base.data, delta); err != nil || !bytes.Equal(made, c.data) {
				t.Errorf("the delta makes something else: %v", err)
			}
		})
	}
}

// The window is bounded in number and in bytes.
func TestDeltaWindow(t *testing.T) {
	s := deltaSearch{budget: NewBudget()}
	for i := range int32(3 * deltaWindow) {
		s.keep(deltaBase{object: i, data: make([]byte, 1000)})
	}
	if len(s.window) != deltaWindow || s.held != deltaWindow*1000 || s.window[0].object != 2*deltaWindow {
		t.Errorf("%d objects, %d bytes, from %d on", len(s.window), s.held, s.window[0].object)
	}
	big := make([]byte, maxSearched)
	for i := range int32(deltaWindow) {
		s.keep(deltaBase{object: i, data: big})
	}
	if s.held > windowBytes || len(s.window) != windowBytes/maxSearched {
		t.Errorf("%d objects, %d bytes", len(s.window), s.held)
	}
}

func FuzzMakeDelta(f *testing.F) {
	text := strings.Repeat("a line\n", 100)
	f.Add([]byte(text), []byte(text+"more"))
	f.Add([]byte(text), []byte("less"+text[50:]))
	f.Add([]byte{}, []byte(text))
	f.Add(randomText(1, 300), randomText(2, 700))
	f.Fuzz(func(t *testing.T, base, data []byte) {
		made, err := applyDelta(nil, base, NewBudget().makeDelta(base, data))
		if err != nil || !bytes.Equal(made, data) {
			t.Errorf("%q of %q: %q %v", data, base, made, err)
		}
	})
}
