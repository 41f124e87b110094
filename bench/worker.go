package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// shownWorker is what must be the same on both sides, which run one program.
// Networks of steps differ: ours are apart, the peer's is the machine's own, which
// takes less.
const shownWorker = `{{range .}}worker {{index .Labels "org.mobyproject.buildkit.worker.executor"}}` +
	`, snapshotter {{index .Labels "org.mobyproject.buildkit.worker.snapshotter"}}{{end}}`

// sameWorker checks that both sides' buildkitd are alike.
func (b *bench) sameWorker(ctx context.Context, d *daemon, p *peer) error {
	if b.worker != "" {
		return nil
	}
	address, err := d.buildkit()
	if err != nil {
		return err
	}
	ours, err := b.shownWorker(ctx, address)
	if err != nil {
		return err
	}
	peers, err := b.shownWorker(ctx, p.buildkit)
	if err != nil {
		return err
	}
	if ours != peers {
		return fmt.Errorf("the buildkitd differ: ours is %q, the peer's %q", ours, peers)
	}
	b.worker = ours
	return nil
}

func (b *bench) shownWorker(ctx context.Context, address string) (string, error) {
	return programs.Command(ctx, "", nil, b.tool("buildctl"), "--addr", address, "debug", "workers", "--format", shownWorker)
}

// buildkit is the address of the daemon's own buildkitd.
func (d *daemon) buildkit() (string, error) {
	text, err := os.ReadFile(filepath.Join(d.Data, "buildkit", "buildkitd.toml"))
	if err != nil {
		return "", err
	}
	var config struct {
		GRPC struct{ Address []string }
	}
	if err := toml.Unmarshal(text, &config); err != nil {
		return "", err
	}
	if len(config.GRPC.Address) == 0 {
		return "", fmt.Errorf("no address in %s", text)
	}
	return config.GRPC.Address[0], nil
}
