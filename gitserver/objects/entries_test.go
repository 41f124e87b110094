package objects

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/go-git/go-git/v5/plumbing"
)

// TestEntriesStaySmall guards the memory that a push of two million objects takes.
func TestEntriesStaySmall(t *testing.T) {
	if size := unsafe.Sizeof(entry{}); size > 40 {
		t.Errorf("an entry has %d bytes", size)
	}
}

func TestEntriesByOffset(t *testing.T) {
	var l entryList
	const n = chunkSize + 100
	for i := range int64(n) {
		var e entry
		e.setOffset(12 + i*i)
		l.add(e)
	}
	for _, i := range []int32{0, 1, 2, 77, chunkSize - 1, chunkSize, n - 2, n - 1} {
		offset := l.at(i).offset()
		if got, ok := l.startingAt(offset); !ok || got != i {
			t.Errorf("at %d begins entry %d, %v, want %d", offset, got, ok, i)
		}
		if i > 1 {
			if got, ok := l.startingAt(offset - 1); ok {
				t.Errorf("at %d begins entry %d, want none", offset-1, got)
			}
		}
	}
	for _, offset := range []int64{0, 11, maxOffset} {
		if got, ok := l.startingAt(offset); ok {
			t.Errorf("at %d begins entry %d, want none", offset, got)
		}
	}
	if _, ok := new(entryList).startingAt(12); ok {
		t.Error("an empty list has an entry")
	}
}

// TestIndexAsGitWritesIt compares with git index-pack, byte for byte.
func TestIndexAsGitWritesIt(t *testing.T) {
	dir := gitRepository(t)
	packs := map[string][]byte{}
	for name, arguments := range map[string][]string{"by hash": {}, "by offset": {"--delta-base-offset"}} {
		cmd := exec.Command("git", append([]string{"-C", dir, "pack-objects", "--all", "--stdout", "-q"}, arguments...)...)
		pack, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		packs[name] = pack
	}
	for name, pack := range packs {
		t.Run(name, func(t *testing.T) {
			in, err := receive(t, pack, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := in.writeIndex(filepath.Join(dir, "ours.idx")); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("git", "index-pack", "-o", filepath.Join(dir, "git.idx"), in.file.Name())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("index-pack: %v\n%s", err, out)
			}
			ours, err := os.ReadFile(filepath.Join(dir, "ours.idx"))
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := os.ReadFile(filepath.Join(dir, "git.idx"))
			if err != nil {
				t.Fatal(err)
			}
			if name == "twice" { // which of the two comes first is open
				if len(ours) != len(theirs) {
					t.Errorf("the index has %d bytes, git's %d", len(ours), len(theirs))
				}
				return
			}
			if !bytes.Equal(ours, theirs) {
				t.Error("git writes another index for the same pack")
			}
		})
	}
}

func TestIndexOfALongPack(t *testing.T) {
	in := &Incoming{}
	offsets := []int64{12, 1<<31 - 1, 1 << 31, 1<<32 + 5, 1<<39 + 7}
	for i, offset := range offsets {
		e := entry{hash: plumbing.ComputeHash(plumbing.BlobObject, fmt.Append(nil, i))}
		e.setOffset(offset)
		in.entries.add(e)
	}
	path := filepath.Join(t.TempDir(), "long.idx")
	if err := in.writeIndex(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	index, err := parsePackIndex("long", data)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range offsets {
		if got, ok := index.find(in.entries.at(int32(i)).hash); !ok || got != want {
			t.Errorf("object %d is at %d, %v, want %d", i, got, ok, want)
		}
	}
}

// TestBothKindsOfDeltasOfOneBase has deltas that name their base by offset and by hash.
func TestBothKindsOfDeltasOfOneBase(t *testing.T) {
	var b packBuilder
	var want []plumbing.Hash
	base := b.add(plumbing.BlobObject, "hello")
	delta := func(c byte, typ plumbing.ObjectType, name []byte) {
		b.raw(typ, 6, name, []byte{5, 6, 0x90, 5, 1, c})
		want = append(want, plumbing.ComputeHash(plumbing.BlobObject, []byte("hello"+string(c))))
	}
	delta('a', plumbing.OFSDeltaObject, []byte{byte(b.body.Len())})
	delta('b', plumbing.REFDeltaObject, base[:])
	delta('c', plumbing.REFDeltaObject, base[:])
	in, err := receive(t, b.pack(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range want {
		if in.table.find(h) == nil {
			t.Errorf("delta %d was not rebuilt", i)
		}
	}
}

func TestBadDeltas(t *testing.T) {
	base := []byte("hello")
	for name, test := range map[string]struct{ delta, want string }{
		"good":              {"\x05\x06\x90\x05\x01!", ""},
		"all of the base":   {"\x05\x05\x90\x05", ""},
		"no sizes":          {"\x85", "no sizes"},
		"another base":      {"\x04\x06\x90\x05\x01!", "base of 4 bytes"},
		"behind the base":   {"\x05\x05\x91\x01\x05", "beyond its base"},
		"64 KiB by default": {"\x05\x05\x80", "beyond its base"},
		"cut off copy":      {"\x05\x05\x91\x01", "truncated"},
		"cut off text":      {"\x05\x05\x05hell", "invalid instruction"},
		"reserved":          {"\x05\x05\x90\x05\x00", "invalid instruction"},
		"too short":         {"\x05\x06\x90\x05", "does not produce its declared 6 bytes"},
		"too long":          {"\x05\x05\x90\x05\x01!", "does not produce its declared 5 bytes"},
		"too long at last":  {"\x05\x04\x90\x05", "does not produce its declared 4 bytes"},
	} {
		got, err := applyDelta(nil, base, []byte(test.delta))
		switch {
		case test.want == "" && (err != nil || !strings.HasPrefix(string(got), "hello")):
			t.Errorf("%s: %q, %v", name, got, err)
		case test.want != "" && (!errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestManyLinksBeforeTheirObjects has directories that name others, which are
// deltas and thus not known yet.
func TestManyLinksBeforeTheirObjects(t *testing.T) {
	const n = minPurge * 2 / 3
	var b packBuilder
	blob := b.add(plumbing.BlobObject, "x")
	missing := plumbing.NewHash(strings.Repeat("1", 40))
	var known plumbing.Hash
	for _, prefix := range []string{"a", "b"} {
		base := b.add(plumbing.TreeObject, treeEntry("100644", prefix+"*****", blob))
		size := byte(len(treeEntry("100644", "123456", blob)))
		for i := range n {
			name := fmt.Sprintf("%s%05x", prefix, i)
			// The delta brings the name, which stands between mode and hash.
			delta := append([]byte{size, size, 0x90, 7, 6}, name...)
			delta = append(delta, 0x91, 13, 21)
			b.raw(plumbing.REFDeltaObject, len(delta), base[:], delta)
			known = plumbing.ComputeHash(plumbing.TreeObject, []byte(treeEntry("100644", name, blob)))
			b.add(plumbing.TreeObject, treeEntry("40000", "d", known))
		}
	}
	for name, test := range map[string]struct{ last, want string }{
		"good":       {treeEntry("40000", "e", known), ""},
		"missing":    {treeEntry("40000", "d", missing), "missing tree " + missing.String()},
		"wrong type": {treeEntry("100644", "d", known), "not a "},
	} {
		var p packBuilder
		p.body.Write(b.body.Bytes())
		p.count = b.count
		p.add(plumbing.TreeObject, test.last)
		in, err := receive(t, p.pack(), Limits{})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if err == nil && len(in.pending) >= 2*n {
			t.Errorf("%d links stayed in memory though their objects are known", len(in.pending))
		}
	}
}

func TestFrugalityEnds(t *testing.T) {
	before := debug.SetGCPercent(150)
	defer debug.SetGCPercent(before)
	budget := NewBudget()
	first, second := budget.beFrugal(), budget.beFrugal()
	first()
	first()
	if now := debug.SetGCPercent(frugalPercent); now != frugalPercent {
		t.Errorf("with one pack left the collector is at %d%%", now)
	}
	second()
	if now := debug.SetGCPercent(150); now != 150 {
		t.Errorf("the collector was left at %d%%", now)
	}
}

// TestBigObjectsAreMadeOneByOne has another's turn stop what is big alone.
func TestBigObjectsAreMadeOneByOne(t *testing.T) {
	small := bomb(plumbing.BlobObject, "hello", 10)
	big := bomb(plumbing.BlobObject, strings.Repeat("x", bigObject), 0)
	grown := func() []byte { // a small base, and a delta that makes a lot of it
		var b packBuilder
		base := b.add(plumbing.BlobObject, strings.Repeat("x", 1<<20))
		delta := binary.AppendUvarint(nil, 1<<20)
		delta = binary.AppendUvarint(delta, bigObject)
		for range bigObject >> 20 {
			delta = append(delta, 0xc0, 0x10)
		}
		b.raw(plumbing.REFDeltaObject, len(delta), base[:], delta)
		return b.pack()
	}()
	budget := NewBudget()
	resolve := func(pack []byte) error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		in, err := Receive(bytes.NewReader(pack), t.TempDir(), Limits{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close() //nolint:errcheck // read only
		return in.Resolve(ctx, noObjects(budget))
	}
	budget.big <- struct{}{}
	if err := resolve(grown); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a big object was made beside another: %v", err)
	}
	for name, pack := range map[string][]byte{"small": small, "big and whole": big} {
		if in, err := receiveWithin(t, budget, pack, Limits{}); err != nil || in.table == nil {
			t.Errorf("%s: it waited for what it does not need: %v", name, err)
		}
	}
	<-budget.big
	for range 2 { // the turn is given back
		if _, err := receiveWithin(t, budget, grown, Limits{}); err != nil {
			t.Error(err)
		}
	}
}
