package buildkit

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/fandoghpaas/fandogh/catalog"
)

// fileTimes says which time files have inside a build: when this server first built the
// content that is at the path. So a file that changed is newer than all that was made of
// the one before, and one that did not change is as old as it was; tools that compare
// times with what they left in a cache mount (make, cargo, go, gradle, ninja) build anew
// exactly what changed. Layers have other times, see layerTimes.
//
// It is one image's. What is forgotten is taken for changed. BuildKit tells changed files by size
// and time, and never sees one time for two contents.
type fileTimes struct {
	path string // file that keeps it; empty: it is kept in memory only
	uses int    // solves that use it now; the book's

	mu      sync.Mutex
	last    int64 // the latest time given, in nanoseconds since 1970
	changed bool  // since it was saved
	files   map[string]fileSince
}

// fileSince is what is at a path, and since when, in nanoseconds since 1970.
type fileSince struct {
	Blob  catalog.BlobID // empty for a directory
	Since int64
}

// moment returns a time that no file has yet, now if that is possible.
func (t *fileTimes) moment(now int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = max(now, t.last+1)
	return t.last
}

// of returns the time of what is at a path; now, if that is new there.
func (t *fileTimes) of(name string, blob catalog.BlobID, now int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.files[name]; ok && known.Blob == blob {
		return known.Since
	}
	t.files[name] = fileSince{blob, now}
	t.changed = true
	return now
}

// save writes down what changed. It must have happened before a step sees the files: what it
// makes of them would look newer than the next content.
func (t *fileTimes) save() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.changed || t.path == "" {
		return nil
	}
	if err := t.write(); err != nil {
		return fmt.Errorf("keep the files' times: %w", err)
	}
	t.changed = false
	return nil
}

func (t *fileTimes) write() error {
	if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(t.path), ".new-")
	if err != nil {
		return err
	}
	err = gob.NewEncoder(file).Encode(t.files)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), t.path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	return err
}

func (t *fileTimes) read() error {
	t.files = map[string]fileSince{}
	if t.path == "" {
		return nil
	}
	file, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // read only
	if err := gob.NewDecoder(file).Decode(&t.files); err != nil {
		t.files = map[string]fileSince{}
		return err
	}
	for _, known := range t.files {
		t.last = max(t.last, known.Since)
	}
	return nil
}

// timesBook has the fileTimes of all images. Builds of one image at once share theirs.
type timesBook struct {
	dir string // empty: nothing is kept on disk, and all stays in memory
	mu  sync.Mutex
	all map[string]*fileTimes // by tenantKey
}

// open returns an image's times, and what gives them back. With an error, which is that
// of reading what was kept, all files are new.
func (b *timesBook) open(key string) (times *fileTimes, done func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	times, ok := b.all[key]
	if !ok {
		times = &fileTimes{}
		if b.dir != "" {
			times.path = filepath.Join(b.dir, key)
		}
		err = times.read()
		b.all[key] = times
	}
	times.uses++
	return times, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if times.uses--; times.uses == 0 && b.dir != "" {
			delete(b.all, key)
		}
	}, err
}
