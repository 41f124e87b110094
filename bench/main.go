// Bench measures Fandogh beside what a user would wire up by hand, in one run
// and in turn, and writes the results as a page. `make bench` runs all of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	tools  string // directory with fandoghd, buildkitd, buildctl, crane and registry
	out    string // page to write; empty: standard output only
	rounds int    // pairs of measurements for what takes a moment
	scale  bool   // this row also at a tenth and a multiple of its size
	// history is a bare repository whose past row 4 sends; empty: synthetic ones.
	history  string
	profiles string // directory for profiles of our side; empty: none are taken
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	var wanted, scaled string
	flag.StringVar(&o.tools, "tools", "bin", "`directory` with fandoghd, buildkitd, buildctl, crane and registry")
	flag.StringVar(&o.out, "out", "", "`file` to write the results to")
	flag.IntVar(&o.rounds, "rounds", 7, "pairs of measurements")
	flag.StringVar(&scaled, "scale", "1,2,4,5,6,7,8,9", "`numbers` of the rows to measure at a tenth and a multiple of their size, too")
	flag.StringVar(&wanted, "rows", "1,2,4,5,6,7,8,9", "`numbers` of the rows to measure; row 3 comes with 1 and 2")
	flag.StringVar(&o.history, "history", "", "bare `repository` whose history row 4 pushes, instead of synthetic ones")
	flag.StringVar(&o.profiles, "profile", "", "`directory` to write processor profiles of our daemon and its buildkitd to; this makes both slower")
	flag.Parse()
	if err := o.resolve(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fandogh-bench-")
	if err != nil {
		return err
	}
	b := &bench{options: o, dir: dir}
	defer b.close()
	var all []measure
	for _, number := range strings.Split(wanted, ",") {
		n, err := strconv.Atoi(number)
		i := slices.IndexFunc(rows, func(r row) bool { return r.number == n })
		if err != nil || i < 0 {
			return fmt.Errorf("there is no row %q", number)
		}
		b.row.Store(int64(n))
		b.scale = slices.Contains(strings.Split(scaled, ","), number)
		started := time.Now()
		measures, err := rows[i].run(ctx, b)
		all = append(all, measures...)
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		fmt.Printf("row %d took %s\n%s\n", n, time.Since(started).Round(time.Second), table(measures))
		if o.out == "" {
			continue
		}
		// After each row: what was measured must not be lost with the rest.
		if err := os.WriteFile(o.out, []byte(report(ctx, b, all)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// resolve makes the paths good for children that run elsewhere.
func (o *options) resolve() error {
	for _, path := range []*string{&o.tools, &o.history, &o.profiles} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	if o.profiles == "" {
		return nil
	}
	return os.MkdirAll(o.profiles, 0o755)
}

// row is one line of the comparison.
type row struct {
	number int
	run    func(context.Context, *bench) ([]measure, error)
}

var rows = []row{
	{1, smallPushes}, {2, largePushes}, {4, firstPush}, {5, burst}, {6, listing}, {7, followers}, {8, pulls}, {9, start},
}

// bench holds what the rows share. ours and peer start when first asked for.
type bench struct {
	options
	dir      string
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

func (b *bench) close() {
	if b.ourSide != nil {
		b.ourSide.stop()
	}
	if b.peerSide != nil {
		b.peerSide.stop()
	}
	if b.profiles != "" {
		if err := b.mergeProfiles(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: profiles:", err)
		}
	}
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench: remove the working directory:", err)
	}
}
