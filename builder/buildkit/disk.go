package buildkit

import (
	"context"
	"errors"
	"time"

	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/pb"

	"github.com/fandoghpaas/fandogh/builder"
)

// Disk is where a BuildKit of this machine writes. The BuildKit's manager watches it, and kills steps
// that would fill it.
type Disk interface {
	// MakeRoom has BuildKit remove cache when there is too little space for a build. It
	// returns an infrastructure failure when that does not help.
	MakeRoom(ctx context.Context, c *client.Client) error
	// WasFull reports whether next to nothing is left, or was at some time since then.
	WasFull(since time.Time) bool
	// Kills counts the steps that were killed for want of space.
	Kills() int64
}

// unwatched is the disk of a BuildKit elsewhere.
type unwatched struct{}

// MakeRoom implements Disk.
func (unwatched) MakeRoom(context.Context, *client.Client) error { return nil }

// WasFull implements Disk.
func (unwatched) WasFull(time.Time) bool { return false }

// Kills implements Disk.
func (unwatched) Kills() int64 { return 0 }

// diskKill is the failure of a step that was killed for want of disk space since
// there were so many kills, or nil.
func diskKill(d Disk, err error, kills int64) *builder.SolveError {
	var exit *gateway.ExitError
	if d.Kills() == kills || !errors.As(err, &exit) || exit.ExitCode != exitKilled {
		return nil
	}
	return infrastructure(err, "the builder's disk was nearly full, so the step that had written most was killed; write less in one step, or ask the server's administrator to free space")
}
