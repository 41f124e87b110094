package objects

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// go-git reads a pack once: a base has to come before its deltas, in whichever order objects
// are asked for.
func TestBasesComeBeforeTheirDeltas(t *testing.T) {
	dir := gitRepository(t)
	pack, err := exec.Command("git", "-C", dir, "pack-objects", "--all", "--stdout", "-q").Output()
	if err != nil {
		t.Fatal(err)
	}
	in, err := receive(t, pack, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	objectsDir := t.TempDir()
	if err := in.Install(Files(objectsDir)); err != nil {
		t.Fatal(err)
	}
	store, err := NewPacks(NewBudget()).OpenStore(Files(objectsDir))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // read only
	var all []plumbing.Hash
	for i := range int32(in.entries.n) {
		all = append(all, in.entries.at(i).hash)
	}
	for _, offsets := range []bool{false, true} {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var out bytes.Buffer
		if err := store.WritePack(t.Context(), &out, all, PackOptions{OffsetDeltas: offsets}); err != nil {
			t.Fatal(err)
		}
		at, deltas := map[int64]bool{}, 0
		scanner := packfile.NewScanner(bytes.NewReader(out.Bytes()))
		_, n, err := scanner.Header()
		if err != nil || int(n) != len(all) {
			t.Fatalf("%d objects, %v", n, err)
		}
		for range n {
			header, err := scanner.NextObjectHeader()
			if err != nil {
				t.Fatal(err)
			}
			var content bytes.Buffer
			if _, _, err := scanner.NextObject(&content); err != nil {
				t.Fatal(err)
			}
			switch header.Type {
			case plumbing.OFSDeltaObject:
				if deltas++; !at[header.OffsetReference] {
					t.Fatalf("a delta at %d comes before its base at %d", header.Offset, header.OffsetReference)
				}
			case plumbing.REFDeltaObject:
				deltas++
			default: // whole
			}
			at[header.Offset] = true
		}
		if deltas == 0 {
			t.Error("there are no deltas")
		}
		again, err := receive(t, out.Bytes(), Limits{})
		if err != nil || again.Count() != len(all) {
			t.Errorf("offsets %t: %v", offsets, err)
		}
	}
}
