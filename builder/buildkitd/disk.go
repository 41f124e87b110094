package buildkitd

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/disk"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// Disk is where a buildkitd of this machine writes, beside what git, registry and
// database write there. The Manager of a buildkitd and the Solver that builds with it share it; nil is
// never full.
type Disk struct {
	Dir string
	// Free is how many bytes the build cache leaves free. No build begins with
	// less than half of it, and at a quarter the step that wrote most is killed: what
	// steps write is no cache yet.
	Free int64
	// CacheFree is what the build cache leaves free instead, where it is more.
	CacheFree int64

	kills    atomic.Int64 // steps killed for want of space
	seenFull atomic.Int64 // when it last was, in nanoseconds since 1970
}

const (
	beginShare = 2
	killShare  = 4
	freeFiles  = 10 // the share of a disk's files that is to stay free, as Free is of its bytes

	// littleDisk is how many bytes are left of a disk that is called full, and
	// littleFiles the part of its files, 1 in so many.
	littleDisk  = 16 << 20
	littleFiles = 2000
)

// UsualFree is what to leave free on a directory's disk: a twentieth, from one to ten
// GiB, and 0 when the disk's size is not known.
func UsualFree(dir string) int64 {
	stat, err := disk.GetDiskStat(dir)
	if err != nil {
		return 0
	}
	return min(max(stat.Total/20, 1<<30), 10<<30)
}

// shortage tells what of the disk is short: there is less than a share of Free, or of a tenth of
// its files, which steps use up as well. left says how much there is.
func (d *Disk) shortage(share int64) (ofBytes, ofFiles bool, left string) {
	if d == nil || d.Free <= 0 {
		return false, false, ""
	}
	free, files, allFiles, ok := d.free()
	if !ok {
		return false, false, "" // what fails here fails a build with better words
	}
	ofBytes = free < d.Free/share
	ofFiles = allFiles > 0 && files < allFiles/freeFiles/share
	return ofBytes, ofFiles, fmt.Sprintf("%s and %d files", units.BytesSize(float64(free)), files)
}

// LeaveFree is how many bytes of the disk all that is kept only to be faster leaves free.
func (d *Disk) LeaveFree() int64 { return max(d.Free, d.CacheFree) }

// isShortForCache reports whether less is free than caches leave.
func (d *Disk) isShortForCache() bool {
	if d == nil {
		return false
	}
	free, _, _, ok := d.free()
	return ok && free < d.LeaveFree()
}

// IsFull reports whether next to nothing is left.
func (d *Disk) IsFull() bool {
	if d == nil {
		return false
	}
	free, files, allFiles, ok := d.free()
	full := ok && (free < littleDisk || allFiles > 0 && files <= allFiles/littleFiles)
	if full {
		d.seenFull.Store(time.Now().UnixNano())
	}
	return full
}

// Ping reports whether the disk has room for more than next to nothing. Errors: Unavailable.
func (d *Disk) Ping(context.Context) error {
	if d.IsFull() {
		return catalog.Errorf(catalog.Unavailable, "the disk is full; what is stored can be read, and nothing be pushed or built until the server's administrator frees space")
	}
	return nil
}

// WasFull reports whether the disk is full or was seen full since a moment.
func (d *Disk) WasFull(since time.Time) bool {
	return d.IsFull() || d != nil && d.seenFull.Load() > since.UnixNano()
}

// free returns how many bytes and files the disk has room for, and how many files
// at all; 0 where its file system does not bound them.
func (d *Disk) free() (bytes, files, allFiles int64, ok bool) {
	var stat unix.Statfs_t
	if err := unix.Statfs(d.Dir, &stat); err != nil {
		return 0, 0, 0, false
	}
	return int64(stat.Bavail) * stat.Bsize, int64(stat.Ffree), int64(stat.Files), true
}

// MakeRoom has BuildKit remove cache, and all that it has not come to remove, when
// there is too little space for a build. It returns an infrastructure failure
// when that does not help.
func (d *Disk) MakeRoom(ctx context.Context, c *client.Client) error {
	ofBytes, ofFiles, _ := d.shortage(beginShare)
	if !ofBytes && !ofFiles {
		return nil
	}
	err := d.prune(ctx, c, ofFiles)
	ofBytes, ofFiles, left := d.shortage(beginShare)
	if !ofBytes && !ofFiles {
		return nil
	}
	return &builder.SolveError{
		Outcome: catalog.OutcomeInfrastructure, Retry: builder.RetryLater, Err: errors.Join(fmt.Errorf("%s free in %s", left, d.Dir), err),
		Message: fmt.Sprintf("the builder's disk is too full to build (%s free); ask the server's administrator to free space", left),
	}
}

// prune has BuildKit remove cache until Free bytes are free; all of it where files are short, which
// BuildKit does not count.
func (d *Disk) prune(ctx context.Context, c *client.Client, all bool) error {
	enough := d.Free
	if all {
		enough = 0
	}
	_, err := prune(ctx, c, enough)
	return err
}

// prune has BuildKit remove cache until so many bytes are free, 0: all that no build uses. It returns what the removed took.
func prune(ctx context.Context, c *client.Client, enough int64) (freed int64, err error) {
	var keep []client.PruneOption
	if enough > 0 {
		keep = append(keep, client.WithKeepOpt(0, 0, 0, enough))
	}
	removed, summed := make(chan client.UsageInfo), make(chan struct{})
	go func() {
		defer close(summed)
		for record := range removed {
			freed += record.Size
		}
	}()
	err = c.Prune(ctx, removed, keep...)
	close(removed)
	<-summed
	return freed, err
}

// Prune has a BuildKit remove cache until its disk has so many bytes free, 0: all that no build uses. It returns how many bytes
// that took.
func Prune(ctx context.Context, address string, enough int64) (freed int64, err error) {
	c, err := client.New(ctx, address)
	if err != nil {
		return 0, err
	}
	freed, err = prune(ctx, c, enough)
	return freed, errors.Join(err, c.Close())
}

// Kills counts the steps that were killed for want of space.
func (d *Disk) Kills() int64 {
	if d == nil {
		return 0
	}
	return d.kills.Load()
}
