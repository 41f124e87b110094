package main

import (
	"context"
	"fmt"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// alone measures BuildKit's own work for a changed file in a large app, on a
// checkout that is there already: without any output, and with the layers only
// written out, neither compressed nor pushed.
func (b *bench) alone(ctx context.Context, w *workTree, size string, files, rounds int) ([]measure, error) {
	p, err := b.peer(ctx)
	if err != nil {
		return nil, err
	}
	solve := measure{row: 2, what: "buildctl alone on a checkout, no output", size: size, n: float64(files), unit: "s"}
	export := measure{row: 2, what: "buildctl alone on a checkout, layers written out as they are", size: size, n: float64(files), unit: "s"}
	for i := range 2 * rounds {
		if err := w.write(w.fileName(i), prose(uint64(2_000_000+i), 7870)); err != nil {
			return nil, err
		}
		args := []string{"--addr", p.buildkit, "build", "--frontend", "dockerfile.v0", "--local", "context=" + w.dir, "--local", "dockerfile=" + w.dir}
		to := &solve
		if i%2 == 1 {
			to = &export
			args = append(args, "--output", fmt.Sprintf("type=oci,compression=uncompressed,dest=%s", "/dev/null"))
		}
		took, err := seconds(func() error {
			_, err := programs.Command(ctx, "", nil, b.tool("buildctl"), args...)
			return err
		})
		if err != nil {
			return nil, err
		}
		if i > 1 { // the first two transfer everything
			to.ours = append(to.ours, took)
		}
	}
	return []measure{solve, export}, nil
}
