package programs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

const buildkitConfig = `root = %q
[grpc]
address = [%q]
[otel]
socketPath = %q
[cdi]
disabled = true
[worker.containerd]
enabled = false
`

// Buildkitd is a plain buildkitd with a root of its own. Its steps have the
// machine's network.
type Buildkitd struct {
	*Process
	Address string
}

// StartBuildkitd runs buildkitd and waits until buildctl sees its worker. more is
// appended to its configuration.
func StartBuildkitd(ctx context.Context, buildkitd, buildctl, dir, more string) (*Buildkitd, error) {
	b := &Buildkitd{Address: "unix://" + filepath.Join(dir, "buildkitd.sock")}
	config := filepath.Join(dir, "buildkitd.toml")
	text := fmt.Sprintf(buildkitConfig, filepath.Join(dir, "buildkit"), b.Address, filepath.Join(dir, "trace.sock")) + more
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	var err error
	if b.Process, err = Start(ctx, filepath.Join(dir, "buildkitd.log"), nil, buildkitd, "--config", config); err != nil {
		return nil, err
	}
	err = b.Await(ctx, func() bool {
		_, err := Command(ctx, "", nil, buildctl, "--addr", b.Address, "debug", "workers")
		return err == nil
	})
	if err != nil {
		b.Stop()
		return nil, err
	}
	return b, nil
}
