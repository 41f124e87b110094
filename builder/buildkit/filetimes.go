package buildkit

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
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
	path string        // file that keeps it; empty: it is kept in memory only
	uses int           // solves that use it now; the book's
	busy chan struct{} // held by the build that is alone
	// ended is when the last of them was over; of who holds busy.
	ended time.Time

	mu      sync.Mutex
	last    int64 // the latest time given, in nanoseconds since 1970
	changed bool  // since it was saved
	layout  string
	files   map[string]fileSince
}

// keptTimes is what is written down.
type keptTimes struct {
	Layout string // how the last build with cache mounts put files together, see renew
	Files  map[string]fileSince
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

// renew prepares for a build with cache mounts, whose steps see just these paths of the repository. What
// the last one did not see, or saw put together in another way, is new.
func (t *fileTimes) renew(layout string, seen map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.layout != layout {
		t.layout, t.changed = layout, true
		clear(t.files)
	}
	for name := range t.files {
		if !seen[name] {
			delete(t.files, name)
			t.changed = true
		}
	}
}

// alone waits until no other build of the image is alone, and returns what ends that.
func (t *fileTimes) alone(ctx context.Context) (release func(), err error) {
	select {
	case t.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release = func() {
		t.ended = time.Now()
		<-t.busy
	}
	// Some tools compare whole seconds.
	if now := time.Now(); now.Unix() == t.ended.Unix() {
		select {
		case <-time.After(t.ended.Truncate(time.Second).Add(time.Second).Sub(now)):
		case <-ctx.Done():
			release()
			return nil, ctx.Err()
		}
	}
	return release, nil
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
	return atomicfile.ReplaceFrom(t.path, 0o600, func(w io.Writer) error {
		return gob.NewEncoder(w).Encode(keptTimes{t.layout, t.files})
	})
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
	var kept keptTimes
	if err := gob.NewDecoder(file).Decode(&kept); err != nil { //nolint:forbidigo // a file of this program's own
		return err
	}
	t.layout = kept.Layout
	if kept.Files != nil {
		t.files = kept.Files
	}
	for _, known := range t.files {
		t.last = max(t.last, known.Since)
	}
	return nil
}

// buildTimes are the times of one build's files.
type buildTimes struct {
	all *fileTimes
	now atomic.Int64 // of what is new, in nanoseconds since 1970
}

func (t *fileTimes) build() *buildTimes {
	b := &buildTimes{all: t}
	b.begin()
	return b
}

// begin dates what is new from here on.
func (b *buildTimes) begin() { b.now.Store(b.all.moment(time.Now().UnixNano())) }

func (b *buildTimes) alone(ctx context.Context) (release func(), err error) {
	if release, err = b.all.alone(ctx); err == nil {
		b.begin() // what the others made is older
	}
	return release, err
}

// timesBook has the fileTimes of all images. Builds of one image at once share theirs.
type timesBook struct {
	dir     string    // empty: nothing is kept on disk, and all stays in memory
	started time.Time // an image that was not built since may have been right before

	mu    sync.Mutex
	all   map[string]*fileTimes // by tenantKey
	ended map[string]time.Time  // the last build of each, by tenantKey
}

func newTimesBook(dir string) *timesBook {
	return &timesBook{dir: dir, started: time.Now(), all: map[string]*fileTimes{}, ended: map[string]time.Time{}}
}

// forget removes what is known of an image that is gone.
func (b *timesBook) forget(key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, key)
	delete(b.ended, key)
	if b.dir == "" {
		return nil
	}
	if err := os.Remove(filepath.Join(b.dir, key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// open returns an image's times, and what gives them back. With an error, which is that
// of reading what was kept, all files are new.
func (b *timesBook) open(key string) (times *fileTimes, done func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	times, ok := b.all[key]
	if !ok {
		times = &fileTimes{busy: make(chan struct{}, 1), ended: b.started}
		if ended, ok := b.ended[key]; ok {
			times.ended = ended
		}
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
		b.ended[key] = time.Now()
		if times.uses--; times.uses == 0 && b.dir != "" {
			delete(b.all, key)
		}
	}, err
}
