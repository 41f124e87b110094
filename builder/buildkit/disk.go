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

// short tells whether less than a share of Free is left, and how much.
func (d *Disk) short(share int64) (left int64, is bool) {
	if d == nil || d.Free <= 0 {
		return 0, false
	}
	stat, err := disk.GetDiskStat(d.Dir)
	if err != nil {
		return 0, false // what fails here fails a build with better words
	}
	return stat.Available, stat.Available < d.Free/share
}

// makeRoom has BuildKit remove cache, and all that it has not come to remove, when
// there is too little space for a build. It returns an infrastructure failure
// when that does not help.
func (d *Disk) makeRoom(ctx context.Context, c *client.Client) error {
	if _, short := d.short(beginShare); !short {
		return nil
	}
	err := c.Prune(ctx, nil, client.WithKeepOpt(0, 0, 0, d.Free))
	left, short := d.short(beginShare)
	if !short {
		return nil
	}
	full := infrastructure(errors.Join(fmt.Errorf("less than %s free in %s", units.BytesSize(float64(d.Free/beginShare)), d.Dir), err),
		"the builder's disk has no room for a build, %s are free; an administrator should make room", units.BytesSize(float64(left)))
	full.Retry = builder.RetryLater
	return full
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
