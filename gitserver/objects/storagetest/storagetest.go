// Package storagetest holds the suite that every objects.Storage must pass, and a storage that is not files.
package storagetest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// TestStorage is what every objects.Storage must pass. storage is empty at first, and at the end. What is put onto it must
// be on the file system of dir.
func TestStorage(t *testing.T, storage objects.Storage, dir string) {
	first, second := "pack-"+strings.Repeat("1", 40), "pack-"+strings.Repeat("2", 40)
	wantNames(t, storage)
	for _, name := range []string{first, second} {
		if _, err := storage.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a pack that is not there: %v", err)
		}
		if _, err := storage.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a pack that is not there: %v", err)
		}
		put(t, storage, dir, name, "content of "+name)
	}
	wantNames(t, storage, first, second)
	put(t, storage, dir, first, "another content")
	pack := wantPack(t, storage, first, "content of "+first)
	defer pack.File.Close() //nolint:errcheck // read only
	for range 2 {
		if err := storage.Remove(first); err != nil {
			t.Errorf("remove: %v", err)
		}
		wantNames(t, storage, second)
	}
	wantContent(t, pack, "content of "+first) // who has it open goes on
	if _, err := storage.Open(first); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a pack that was removed: %v", err)
	}
	put(t, storage, dir, first, "put again")
	again, other := wantPack(t, storage, first, "put again"), wantPack(t, storage, second, "content of "+second)
	if ids := []string{pack.Info.ID, again.Info.ID, other.Info.ID}; ids[0] == ids[1] || ids[1] == ids[2] || ids[2] == ids[0] {
		t.Errorf("of three packs the IDs are %q", ids)
	}
	if err := errors.Join(again.File.Close(), other.File.Close(), storage.Remove(first, second)); err != nil {
		t.Error(err)
	}
	wantNames(t, storage)
	if loose, err := storage.Loose(); len(loose) > 0 || err != nil {
		t.Errorf("objects in no pack: %v, %v", loose, err)
	}
	if _, err := storage.OpenLoose(plumbing.ZeroHash); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a loose object that is not there: %v", err)
	}
}

func put(t *testing.T, storage objects.Storage, dir, name, content string) {
	t.Helper()
	pack, index := filepath.Join(dir, "new.pack"), filepath.Join(dir, "new.idx")
	err := errors.Join(os.RemoveAll(pack), os.RemoveAll(index), // of one that was there already
		os.WriteFile(pack, []byte(content), 0o600), os.WriteFile(index, []byte("index of "+content), 0o600), storage.Put(name, pack, index))
	if err != nil {
		t.Fatal(err)
	}
}

func wantNames(t *testing.T, storage objects.Storage, want ...string) {
	t.Helper()
	names, err := storage.Names()
	slices.Sort(names)
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("the packs are %q, %v; want %q", names, err, want)
	}
}

func wantPack(t *testing.T, storage objects.Storage, name, want string) *objects.Pack {
	t.Helper()
	pack, err := storage.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(pack.Index) != "index of "+want {
		t.Errorf("the index is %q", pack.Index)
	}
	wantContent(t, pack, want)
	if info, err := storage.Stat(name); err != nil || info != pack.Info || info.Size != int64(len(want)) || info.PutAt.IsZero() {
		t.Errorf("stat: %+v, %v; the open pack: %+v", info, err, pack.Info)
	}
	return pack
}

func wantContent(t *testing.T, pack *objects.Pack, want string) {
	t.Helper()
	got := make([]byte, len(want)+1)
	n, err := pack.File.ReadAt(got, 0)
	if got = got[:n]; !errors.Is(err, io.EOF) || string(got) != want {
		t.Errorf("the pack is %q, %v; want %q", got, err, want)
	}
}
