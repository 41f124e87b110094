// Package storagetest holds the suite that every objects.PackStorage must pass.
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

	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// TestPackStorage is what every objects.PackStorage must pass. storage is empty at first, and at the end. What is put onto it must
// be on the file system of dir.
func TestPackStorage(t *testing.T, storage objects.PackStorage, dir string) {
	first, second := "pack-"+strings.Repeat("1", 40), "pack-"+strings.Repeat("2", 40)
	wantNames(t, storage)
	for _, name := range []string{first, second} {
		if _, err := storage.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a pack that is not there: %v", err)
		}
		if _, _, err := storage.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a pack that is not there: %v", err)
		}
		put(t, storage, dir, name, "content of "+name)
	}
	wantNames(t, storage, first, second)
	put(t, storage, dir, first, "another content")
	file := wantPack(t, storage, first, "content of "+first)
	defer file.Close() //nolint:errcheck // read only
	for range 2 {
		if err := storage.Remove(first); err != nil {
			t.Errorf("remove: %v", err)
		}
		wantNames(t, storage, second)
	}
	wantContent(t, file, "content of "+first) // who has it open goes on
	if _, _, err := storage.Open(first); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a pack that was removed: %v", err)
	}
	put(t, storage, dir, first, "put again")
	again := wantPack(t, storage, first, "put again")
	if err := errors.Join(again.Close(), storage.Remove(first, second)); err != nil {
		t.Error(err)
	}
	wantNames(t, storage)
}

func put(t *testing.T, storage objects.PackStorage, dir, name, content string) {
	t.Helper()
	pack, index := filepath.Join(dir, "new.pack"), filepath.Join(dir, "new.idx")
	err := errors.Join(os.RemoveAll(pack), os.RemoveAll(index), // of one that was there already
		os.WriteFile(pack, []byte(content), 0o600), os.WriteFile(index, []byte("index of "+content), 0o600), storage.Put(name, pack, index))
	if err != nil {
		t.Fatal(err)
	}
}

func wantNames(t *testing.T, storage objects.PackStorage, want ...string) {
	t.Helper()
	names, err := storage.Names()
	slices.Sort(names)
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("the packs are %q, %v; want %q", names, err, want)
	}
}

func wantPack(t *testing.T, storage objects.PackStorage, name, want string) objects.PackFile {
	t.Helper()
	file, index, err := storage.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(index) != "index of "+want {
		t.Errorf("the index is %q", index)
	}
	wantContent(t, file, want)
	opened, err := file.Stat()
	info, statErr := storage.Stat(name)
	if err = errors.Join(err, statErr); err != nil || opened.Size() != int64(len(want)) || info.Size() != opened.Size() {
		t.Errorf("stat: %v", err)
	}
	return file
}

func wantContent(t *testing.T, file objects.PackFile, want string) {
	t.Helper()
	got := make([]byte, len(want)+1)
	n, err := file.ReadAt(got, 0)
	if got = got[:n]; !errors.Is(err, io.EOF) || string(got) != want {
		t.Errorf("the pack is %q, %v; want %q", got, err, want)
	}
}
