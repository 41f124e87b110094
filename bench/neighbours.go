package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

const (
	neighbour = "neighbour"
	besides   = "small push beside another user's: "
	loaded    = 10 * time.Second // how long a load is pushed
)

// load is what another user pushes over and over while one user's small pushes are timed.
type load struct {
	what    string
	refused string // what the push says if it is not built
	fill    func(ctx context.Context, w *workTree) error
}

var loads = []load{
	{what: "500 MB of zeros, a pack of 0.5 MB", fill: func(_ context.Context, w *workTree) error {
		return errors.Join(w.write("Dockerfile", copyAll), w.write("zeros", ""), os.Truncate(filepath.Join(w.dir, "zeros"), 500<<20))
	}},
	{what: "60 texts of 4 MB, deltas of one another", fill: func(_ context.Context, w *workTree) error {
		text := prose(1, 4<<20)
		err := w.write("Dockerfile", copyAll)
		for i := range 60 {
			err = errors.Join(err, w.write(fmt.Sprintf("alike/%02d", i), text[i*1000:]+text[:i*1000]))
		}
		return err
	}},
	{what: "a step that prints without end", fill: func(_ context.Context, w *workTree) error {
		return errors.Join(w.write("Dockerfile", "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox timeout 5 /bin/busybox yes what a step prints; true\"]\n"), w.copyBusybox())
	}},
	{what: "50,000 small files", fill: func(ctx context.Context, w *workTree) error {
		return errors.Join(w.write("Dockerfile", copyAll), w.fill(ctx, 50_000, 20, 3))
	}},
	{what: "250 directories in one another", fill: func(_ context.Context, w *workTree) error {
		return errors.Join(w.write("Dockerfile", copyAll), w.write(strings.Repeat("d/", 250)+"file", "deep"))
	}},
	{what: "a Dockerfile of 545 KB of WORKDIR", refused: "of memory to interpret", fill: func(_ context.Context, w *workTree) error {
		return w.write("Dockerfile", "FROM scratch\n"+strings.Repeat("WORKDIR a\n", 54_500))
	}},
	{what: "3,000 ignore patterns over 5,000 files", fill: func(ctx context.Context, w *workTree) error {
		var patterns strings.Builder
		for i := range 3000 {
			fmt.Fprintf(&patterns, "**/ignored*%06d/**\n", i)
		}
		return errors.Join(w.write("Dockerfile", copyAll), w.write(".dockerignore", patterns.String()), w.fill(ctx, 5000, 20, 3))
	}},
	{what: "10,000 branches", fill: func(ctx context.Context, w *workTree) error {
		err := errors.Join(w.write("Dockerfile", copyAll), w.commit(ctx, "first"))
		head, headErr := programs.Command(ctx, w.dir, w.env, "git", "rev-parse", "HEAD")
		var packed strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&packed, "%s refs/heads/branch%05d\n", head, i)
		}
		return errors.Join(err, headErr, w.write(".git/packed-refs", packed.String()), w.write("more", "one"))
	}},
}

// neighbours is row 12: small pushes beside another user's heavy ones, against the same pushes
// without the other user, which stand in the peer's column.
func neighbours(ctx context.Context, b *bench) ([]measure, error) {
	d, err := b.ours(ctx)
	if err != nil {
		return nil, err
	}
	dir := b.path("neighbour")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	key, err := programs.MakeKey(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := d.AddUser(ctx, neighbour, key+".pub"); err != nil {
		return nil, err
	}
	env := programs.GitEnv(programs.SSHFlags(key))
	small, err := b.newWorkTree(ctx, "small", copyAll, 20, 2000)
	if err != nil {
		return nil, err
	}
	if _, err := small.changeFor(ctx, d, warmUp); err != nil {
		return nil, err
	}
	var all []measure
	for _, l := range loads {
		measures, err := l.measure(ctx, b, d, small, env)
		all = append(all, measures...)
		if err != nil {
			all = append(all, b.failure(ctx, measure{row: 12, what: besides + l.what}, err))
			break
		}
	}
	return all, nil
}

func (l load) measure(ctx context.Context, b *bench, d *daemon, small *workTree, env []string) ([]measure, error) {
	heavy, err := b.emptyTree(ctx, "heavy")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(heavy.dir) //nolint:errcheck // it goes with the rest
	if err := errors.Join(l.fill(ctx, heavy), heavy.commit(ctx, "v1"), heavy.pack(ctx)); err != nil {
		return nil, err
	}
	took := measure{row: 12, what: besides + l.what, size: "20 files", n: 20, unit: "s", goal: 2}
	memory := measure{row: 12, what: "the daemon's memory beside " + l.what, size: "20 files", n: 20, unit: "MB", goal: 300}
	if took.peer, err = small.changeFor(ctx, d, b.rounds); err != nil {
		return nil, err
	}
	if err := resetPeak(d.Process); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- l.push(ctx, b, d, heavy, env) }()
	for err = nil; err == nil; {
		select {
		case err = <-ended:
			_, peak := resident(d.Process)
			memory.ours = append(memory.ours, peak)
			return []measure{took, memory}, err
		default:
			var some []float64
			some, err = small.changeFor(ctx, d, 1)
			took.ours = append(took.ours, some...)
		}
	}
	return nil, errors.Join(err, <-ended)
}

// push sends the load to new images until there are enough small pushes to compare. The clients
// would be on other machines, so they leave the processors to any other process that wants them.
func (l load) push(ctx context.Context, b *bench, d *daemon, heavy *workTree, env []string) error {
	for started := time.Now(); time.Since(started) < loaded; {
		remote := "ssh://git@" + d.SSH + "/" + neighbour + "/" + filepath.Base(b.path("heavy"))
		_, err := programs.Command(ctx, heavy.dir, env, "nice", "-n", "19", "git", "push", "-q", remote, "refs/heads/*", "v1")
		if err != nil && (l.refused == "" || !strings.Contains(err.Error(), l.refused)) {
			return err
		}
	}
	return nil
}

// changeFor pushes one change after the other, and returns what each took.
func (w *workTree) changeFor(ctx context.Context, d *daemon, times int) (took []float64, err error) {
	for range times {
		w.changes++
		tag := fmt.Sprintf("change%d", w.changes)
		if err := errors.Join(w.write(w.fileName(0), prose(uint64(2_000_000+w.changes), 2000)), w.commit(ctx, tag)); err != nil {
			return took, err
		}
		t, err := w.push(ctx, d, tag)
		if err != nil {
			return took, err
		}
		took = append(took, t)
	}
	return took, nil
}
