package objects

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// FuzzApplyDelta holds that a delta makes what it makes by another implementation of git.
func FuzzApplyDelta(f *testing.F) {
	base := []byte("some base that is long enough to be copied from")
	f.Add(base, NewBudget().makeDelta(base, append([]byte("more than "), base...)))
	f.Add([]byte("hello"), []byte("\x05\x06\x90\x05\x01!"))
	f.Add([]byte("hello"), []byte("\x05\x05\x91\x00\x05"))
	f.Add([]byte("hello"), []byte("\x05\x80\x80\x04\x80"))
	f.Add([]byte{}, []byte("\x00\x01\x01a"))
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		made, err := applyDelta(nil, base, delta)
		want, wantErr := packfile.PatchDelta(base, delta)
		if _, _, _, err := deltaSizes(delta); err != nil {
			return // the other reads a size that is cut off as one
		}
		// The other takes no shorter ones, and none of nothing.
		if len(delta) >= 4 && len(base) > 0 && (err == nil) != (wantErr == nil) {
			t.Fatalf("%v here, %v there", err, wantErr)
		}
		if err == nil && wantErr == nil && !bytes.Equal(made, want) {
			t.Errorf("%q, and %q there", made, want)
		}
		// An instruction of seven bytes or fewer copies 16 MiB at most, from a base that is here.
		if most := len(delta) * max(len(base), 0x7f); len(made) > most {
			t.Errorf("%d bytes made of %d and %d", len(made), len(base), len(delta))
		}
	})
}

// FuzzTree holds that what is let through is a tree to git, with the same entries.
func FuzzTree(f *testing.F) {
	h := plumbing.ComputeHash(plumbing.BlobObject, nil)
	f.Add([]byte(treeEntry("100644", "a", h) + treeEntry("40000", "a.b", h) + treeEntry("120000", "b", h)))
	f.Add([]byte(treeEntry("100664", ".gitmodules", h)))
	f.Add([]byte(treeEntry("100644", "a", h) + treeEntry("100644", "a.b", h) + treeEntry("40000", "a", h)))
	f.Add([]byte(treeEntry("040000", "x", h) + treeEntry("160000", "y", h)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var checker treeChecker
		links, err := checker.check(data)
		if err != nil {
			return
		}
		entries, err := ParseTree(data)
		if err != nil {
			t.Fatalf("a tree that was let through can't be read: %v", err)
		}
		if !slices.IsSortedFunc(entries, CompareEntries) {
			t.Errorf("out of order: %v", entries)
		}
		var linked []plumbing.Hash
		for _, e := range entries {
			if e.Mode != ModeSubmodule {
				linked = append(linked, e.Hash)
			}
		}
		if !slices.EqualFunc(links, linked, func(l Link, h plumbing.Hash) bool { return l.Hash == h }) {
			t.Errorf("%v are linked, %v are there", links, linked)
		}
		rest := data
		for _, e := range entries {
			if rest = bytes.TrimLeft(rest, "01234567"); !bytes.HasPrefix(rest, []byte(" "+e.Name+"\x00"+string(e.Hash[:]))) {
				t.Fatalf("%q was not read from %q", e.Name, rest)
			}
			rest = rest[len(e.Name)+22:]
		}
		if len(rest) > 0 {
			t.Errorf("%q was not read", rest)
		}
		gitTakes(t, "tree", data)
	})
}

// gitTakes has git look whether data can be an object.
func gitTakes(t *testing.T, typ string, data []byte) {
	t.Helper()
	git := exec.Command("git", "hash-object", "-t", typ, "--stdin")
	git.Stdin = bytes.NewReader(data)
	if out, err := git.CombinedOutput(); err != nil {
		t.Errorf("git refuses the %s %q: %v %s", typ, data, err, out)
	}
}

// FuzzCommit holds that a commit's header is what was read of it, written again.
func FuzzCommit(f *testing.F) {
	h := strings.Repeat("1a", 20)
	f.Add([]byte("tree " + h + "\nparent " + h + "\nauthor A <a@b> 1700000000 +0000\ncommitter B <b@c> 1700000001 +0100\n\nm\n"))
	f.Add([]byte("tree " + h + "\nauthor \ncommitter > 99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCommit(data)
		if err != nil {
			return
		}
		header := "tree " + c.Tree.String() + "\n"
		for _, p := range c.Parents {
			header += "parent " + p.String() + "\n"
		}
		header += "author "
		if len(data) < len(header) || !strings.EqualFold(string(data[:len(header)]), header) {
			t.Errorf("read %q of %q", header, data)
		}
		if c.Time < 0 || c.Time > 1<<44 {
			t.Errorf("a commit of the second %d", c.Time)
		}
	})
}

// FuzzTag holds the same of tags.
func FuzzTag(f *testing.F) {
	h := strings.Repeat("1a", 20)
	f.Add([]byte("object " + h + "\ntype commit\ntag v1\ntagger A <a@b> 1700000000 +0000\n\nm\n"))
	f.Add([]byte("object " + h + "\ntype ofs-delta\ntag v1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		target, err := ParseTag(data)
		if err != nil {
			return
		}
		header := "object " + target.Hash.String() + "\ntype " + target.Type.String() + "\ntag "
		if len(data) < len(header) || !strings.EqualFold(string(data[:len(header)]), header) {
			t.Errorf("read %q of %q", header, data)
		}
		if target.Type.IsDelta() || !target.Type.Valid() {
			t.Errorf("a tag of a %s", target.Type)
		}
	})
}
