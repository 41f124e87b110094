// Package diskspace watches how much of a disk is left, and says when it is too little to begin anything that takes more.
//
// A Watcher is made by New and looks from Run on, every few seconds, and when it is asked. It is nearly full from when less
// is free than Limits say until a little more is free again, so that it does not change with each file.
package diskspace

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/docker/go-units"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Space is what a disk has, as df counts it: what the file system keeps for root is no part of it.
type Space struct {
	Free, Size       int64 // bytes
	FreeFiles, Files int64 // 0 where the file system does not bound them
}

// Of returns the space of the disk that a directory is on.
func Of(dir string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Space{}, fmt.Errorf("disk of %s: %w", dir, err)
	}
	return Space{
		Free: int64(s.Bavail) * s.Bsize, Size: int64(s.Blocks-s.Bfree+s.Bavail) * s.Bsize,
		FreeFiles: int64(s.Ffree), Files: int64(s.Files),
	}, nil
}

// Limits say when a disk is nearly full: at the first of the two.
type Limits struct {
	MinFree int64 // bytes; 0: no such limit
	MaxUsed int   // percent of bytes, and of files; 100: no such limit
}

// LeastFree returns how many bytes must be free of a disk of a size.
func (l Limits) LeastFree(size int64) int64 {
	return max(l.MinFree, share(size, 100-l.MaxUsed))
}

// slack is the part of what must be free that more must be free for a disk to be no longer nearly full, 1 in so many.
const slack = 20

// Enough returns how many bytes are to be free for a disk of a size that was nearly full not to be so any more, and for
// some time.
func (l Limits) Enough(size int64) int64 {
	least := l.LeastFree(size)
	return least + 2*least/slack
}

// Short says what of a disk is short, "" for nothing. One that was short already must have a little more.
func (l Limits) Short(s Space, already bool) string {
	least, leastFiles := l.LeastFree(s.Size), share(s.Files, 100-l.MaxUsed)
	if already {
		least, leastFiles = least+least/slack, leastFiles+leastFiles/slack
	}
	switch {
	case s.Free < least:
		return fmt.Sprintf("%s of %s are free, and %s must be", bytesOf(s.Free), bytesOf(s.Size), bytesOf(least))
	case s.FreeFiles < leastFiles:
		return fmt.Sprintf("it has room for %d more of its %d files, and must have for %d", s.FreeFiles, s.Files, leastFiles)
	}
	return ""
}

func share(n int64, percent int) int64 { return n / 100 * int64(percent) }

func bytesOf(n int64) string { return units.BytesSize(float64(n)) }

// Config is what a Watcher is made of. Dir is required.
type Config struct {
	Dir    string
	Limits Limits
	// Of returns the space of Dir's disk; nil: Of.
	Of func(dir string) (Space, error)
	// Free removes what nobody needs, or what can be had again, until so many bytes are free. It is called when the disk becomes
	// nearly full, again while it stays so, and never twice at a time; nil: nothing is removed.
	Free func(ctx context.Context, enough int64)
	// Opened is called when the disk is no longer nearly full; nil: nobody is told.
	Opened func()
	Now    func() time.Time // nil: the clock
	Logger hclog.Logger     // nil: nothing is logged
}

const (
	// interval is between two looks.
	interval = 5 * time.Second
	// fresh is how long what was seen is good for who asks.
	fresh = time.Second
	// freeAgain is between two times that something is removed, while the disk stays nearly full: it reads much of it.
	freeAgain = 10 * time.Minute
)

// Watcher knows whether a disk is nearly full.
type Watcher struct {
	config Config

	mu      sync.Mutex
	limits  Limits
	looked  time.Time
	short   string // why it is nearly full; "": it is not
	freeing bool
	freed   time.Time // when removing began last
}

// New returns a Watcher, which has not looked yet.
func New(c Config) *Watcher {
	if c.Of == nil {
		c.Of = Of
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return &Watcher{config: c, limits: c.Limits}
}

// SetLimits has other limits hold from now on.
func (w *Watcher) SetLimits(l Limits) {
	w.mu.Lock()
	w.limits, w.looked = l, time.Time{}
	w.mu.Unlock()
}

// Run looks until ctx ends, and has something removed while the disk is nearly full. It returns nil.
func (w *Watcher) Run(ctx context.Context) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var freeing sync.WaitGroup
	defer freeing.Wait()
	for {
		w.step(ctx, freeing.Go)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// step looks, and has begin what removes something, if it is time for that.
func (w *Watcher) step(ctx context.Context, begin func(func())) {
	short, size := w.look()
	if short == "" || w.config.Free == nil || !w.mayFree() {
		return
	}
	begin(func() {
		w.mu.Lock()
		enough := w.limits.Enough(size)
		w.mu.Unlock()
		w.config.Free(ctx, enough)
		w.mu.Lock()
		w.freeing = false
		w.mu.Unlock()
		w.look()
	})
}

// mayFree reports whether it is time to remove something, which begins then.
func (w *Watcher) mayFree() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.config.Now()
	if w.freeing || !w.freed.IsZero() && now.Sub(w.freed) < freeAgain {
		return false
	}
	w.freeing, w.freed = true, now
	return true
}

// look finds out how things are: what is short, and the disk's size.
func (w *Watcher) look() (short string, size int64) {
	s, err := w.config.Of(w.config.Dir)
	if err != nil { // what fails here fails what is begun with better words
		w.config.Logger.Warn("failed to ask how much of the disk is left", "error", err)
		return "", 0
	}
	before, short := w.note(s)
	switch {
	case before == "" && short != "":
		w.config.Logger.Warn("the disk is nearly full: pushes, uploads and builds are refused until there is more room; unused data is being removed", "left", short)
	case before != "" && short == "":
		w.config.Logger.Info("the disk has room again", "free", bytesOf(s.Free))
		if w.config.Opened != nil {
			w.config.Opened()
		}
	}
	return short, s.Size
}

// note keeps what was seen, and returns what was short before and what is now.
func (w *Watcher) note(s Space) (before, short string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked, before = w.config.Now(), w.short
	w.short = w.limits.Short(s, before != "")
	if before == "" {
		w.freed = time.Time{}
	}
	return before, w.short
}

// Short says what of the disk is short, as Limits.Short does.
func (w *Watcher) Short() string {
	w.mu.Lock()
	short, stale := w.short, w.config.Now().Sub(w.looked) >= fresh
	w.mu.Unlock()
	if stale {
		short, _ = w.look()
	}
	return short
}

// Err says that the disk is nearly full, nil when it is not. Errors: Unavailable (catalog.ErrNearlyFull).
func (w *Watcher) Err() error {
	short := w.Short()
	if short == "" {
		return nil
	}
	return catalog.Wrap(catalog.Unavailable, catalog.ErrNearlyFull,
		"the server's disk is nearly full (%s): nothing can be pushed or built until there is room again, and what is stored can be read", short)
}

// Ping is Err, for checks.
func (w *Watcher) Ping(context.Context) error { return w.Err() }
