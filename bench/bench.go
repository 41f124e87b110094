package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
)

// bench holds what the rows share. ours and peer start when first asked for.
type bench struct {
	options
	dir      string
	scale    bool // the row also at a tenth and a multiple of its size
	ourSide  *daemon
	peerSide *peer
	worker   string // what both buildkitd build with
	serial   int
	row      atomic.Int64 // the one that runs, for the profiles' names
}

// path names a new entry of the bench's directory.
func (b *bench) path(name string) string {
	b.serial++
	return filepath.Join(b.dir, fmt.Sprintf("%s-%d", name, b.serial))
}

func (b *bench) tool(name string) string { return filepath.Join(b.tools, name) }

func (b *bench) ours(ctx context.Context) (*daemon, error) {
	if b.ourSide == nil {
		d, err := startDaemon(ctx, b, b.path("ours"))
		if err != nil {
			return nil, err
		}
		b.ourSide = d
	}
	return b.ourSide, nil
}

func (b *bench) peer(ctx context.Context) (*peer, error) {
	if b.peerSide == nil {
		p, err := startPeer(ctx, b, b.path("peer"))
		if err != nil {
			return nil, err
		}
		b.peerSide = p
	}
	return b.peerSide, nil
}

// sides returns ours and the peer.
func (b *bench) sides(ctx context.Context) ([2]side, error) {
	d, err := b.ours(ctx)
	if err != nil {
		return [2]side{}, err
	}
	p, err := b.peer(ctx)
	if err != nil {
		return [2]side{}, err
	}
	return [2]side{d, p}, b.sameWorker(ctx, d, p)
}

func (b *bench) stopSides() {
	if b.ourSide != nil {
		b.ourSide.stop()
	}
	if b.peerSide != nil {
		b.peerSide.stop()
	}
	b.ourSide, b.peerSide = nil, nil
}

func (b *bench) close() {
	b.stopSides()
	if b.profiles != "" {
		if err := b.mergeProfiles(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: profiles:", err)
		}
	}
	unmountBelow(b.dir)
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench: remove the working directory:", err)
	}
}

// unmountBelow takes away what a buildkitd that had to be killed left mounted.
func unmountBelow(dir string) {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	lines := slices.Collect(strings.Lines(string(text)))
	for _, line := range slices.Backward(lines) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			_ = syscall.Unmount(fields[4], syscall.MNT_DETACH) // what stays is told of by the removal
		}
	}
}
