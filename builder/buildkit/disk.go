package buildkit

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/docker/go-units"
	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/util/disk"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/builder"
)

// Disk is where a buildkitd of this machine writes, beside what git, registry and
// database write there. The Manager and the Solver of one buildkitd share it; nil is
// never full.
type Disk struct {
	Dir string
	// Free is how many bytes the build cache leaves free. No build begins with
	// less than half of it, and at a quarter the step that wrote most is killed: what
	// steps write is no cache yet.
	Free int64

	kills atomic.Int64 // steps killed for want of space
}

const (
	beginShare = 2
	killShare  = 4
	freeFiles  = 10 // the share of a disk's files that is to stay free, as Free is of its bytes
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
	var stat unix.Statfs_t
	if unix.Statfs(d.Dir, &stat) != nil {
		return false, false, "" // what fails here fails a build with better words
	}
	free := int64(stat.Bavail) * stat.Bsize
	ofBytes = free < d.Free/share
	ofFiles = stat.Files > 0 && int64(stat.Ffree) < int64(stat.Files)/freeFiles/share // 0: the file system has no such bound
	return ofBytes, ofFiles, fmt.Sprintf("%s and %d files", units.BytesSize(float64(free)), stat.Ffree)
}

// makeRoom has BuildKit remove cache, and all that it has not come to remove, when
// there is too little space for a build. It returns an infrastructure failure
// when that does not help.
func (d *Disk) makeRoom(ctx context.Context, c *client.Client) error {
	ofBytes, ofFiles, _ := d.shortage(beginShare)
	if !ofBytes && !ofFiles {
		return nil
	}
	err := d.prune(ctx, c, ofFiles)
	ofBytes, ofFiles, left := d.shortage(beginShare)
	if !ofBytes && !ofFiles {
		return nil
	}
	full := infrastructure(errors.Join(fmt.Errorf("%s are free in %s", left, d.Dir), err),
		"the builder's disk has no room for a build, %s are free; an administrator should make room", left)
	full.Retry = builder.RetryLater
	return full
}

// prune has BuildKit remove cache until Free bytes are free; all of it where files are short, which
// BuildKit does not count.
func (d *Disk) prune(ctx context.Context, c *client.Client, all bool) error {
	var keep []client.PruneOption
	if !all {
		keep = append(keep, client.WithKeepOpt(0, 0, 0, d.Free))
	}
	return c.Prune(ctx, nil, keep...)
}

// killed is the failure of a step that was killed for want of disk space since
// there were so many kills, or nil.
func (d *Disk) killed(err error, kills int64) *builder.SolveError {
	var exit *gateway.ExitError
	if d == nil || d.kills.Load() == kills || !errors.As(err, &exit) || exit.ExitCode != exitKilled {
		return nil
	}
	return infrastructure(err, "the builder's disk was nearly full, and the step that had written most was ended; write less in one step, or ask an administrator for room")
}

func (d *Disk) killsSoFar() int64 {
	if d == nil {
		return 0
	}
	return d.kills.Load()
}
