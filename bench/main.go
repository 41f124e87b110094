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
	"syscall"
)

// everyRow is what is measured when the command line does not say.
const everyRow = "1,2,4,5,6,7,8,9,10,11"

// options are what the command line says.
type options struct {
	tools  string // directory with fandoghd, buildkitd, buildctl, crane and registry
	out    string // page to write; empty: standard output only
	rounds int    // pairs of measurements for what takes a moment
	// history is a bare repository whose past rows 4 and 11 send; empty: synthetic ones.
	history  string
	profiles string // directory for profiles of our side; empty: none are taken
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends it at once
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
	flag.StringVar(&scaled, "scale", everyRow, "`numbers` of the rows to measure at a tenth and a multiple of their size, too")
	flag.StringVar(&wanted, "rows", everyRow, "`numbers` of the rows to measure; row 3 comes with 1 and 2")
	flag.StringVar(&o.history, "history", "", "bare `repository` whose history rows 4 and 11 push, instead of synthetic ones")
	flag.StringVar(&o.profiles, "profile", "", "`directory` to write processor profiles of our daemon and its buildkitd to; this makes both slower")
	flag.Parse()
	if err := o.resolve(); err != nil {
		return err
	}
	chosen, err := choose(wanted, scaled)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fandogh-bench-")
	if err != nil {
		return err
	}
	// Children leave nothing elsewhere when they are killed.
	if err := os.Setenv("TMPDIR", dir); err != nil {
		return err
	}
	b := &bench{options: o, dir: dir}
	defer b.close()
	return b.measureRows(ctx, chosen)
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
