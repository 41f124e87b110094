package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// pullAndRun pulls an image and runs it. It returns the seconds until the container
// has printed its first line, and the line.
func (b *bench) pullAndRun(ctx context.Context, s side, app, tag string) (took float64, line string, err error) {
	dir := b.path("running")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	env, err := loggedIn(s, app, filepath.Join(dir, "credentials"))
	if err != nil {
		return 0, "", err
	}
	started := time.Now()
	image := filepath.Join(dir, "image")
	if err := crane.pull(ctx, b, env, s.image(app, tag), image); err != nil {
		return 0, "", err
	}
	if err := makeBundle(ctx, image, dir); err != nil {
		return 0, "", err
	}
	line, at, err := firstLine(ctx, dir, filepath.Base(b.dir)+"-"+filepath.Base(dir))
	return at.Sub(started).Seconds(), line, err
}

// makeBundle makes of a pulled image what runc runs.
func makeBundle(ctx context.Context, pulled, dir string) error {
	index, err := layout.ImageIndexFromPath(pulled)
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) != 1 {
		return fmt.Errorf("%d images were pulled", len(manifest.Manifests))
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	spec, err := json.Marshal(runcSpec(config.Config))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), spec, 0o600); err != nil {
		return err
	}
	root := filepath.Join(dir, "rootfs")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	files := mutate.Extract(image)
	defer files.Close() //nolint:errcheck // only read
	cmd := exec.CommandContext(ctx, "tar", "x", "-C", root)
	cmd.Stdin = files
	if problems, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("unpack: %w: %s", err, problems)
	}
	return nil
}

// runcSpec says to run an image's command in namespaces of its own, the network
// apart.
func runcSpec(config v1.Config) map[string]any {
	type object = map[string]any
	return object{
		"ociVersion": "1.0.2",
		"root":       object{"path": "rootfs"},
		"process": object{
			"args": slices.Concat(config.Entrypoint, config.Cmd), "env": config.Env, "cwd": "/" + strings.TrimPrefix(config.WorkingDir, "/"),
			"user": object{"uid": 0, "gid": 0},
		},
		"mounts": []object{
			{"destination": "/proc", "type": "proc", "source": "proc"},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
		},
		"linux": object{"namespaces": []object{{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}}},
	}
}

// firstLine runs a bundle until it has printed a line, and ends it then.
func firstLine(ctx context.Context, bundle, id string) (line string, at time.Time, err error) {
	cmd := exec.CommandContext(ctx, "runc", "run", "--bundle", bundle, id)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	runtime.LockOSThread() // whose end the child would die of
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", at, err
	}
	if err := cmd.Start(); err != nil {
		return "", at, err
	}
	line, err = bufio.NewReader(out).ReadString('\n') //nolint:forbidigo // of a program of ours
	at = time.Now()
	_, deleted := programs.Command(context.WithoutCancel(ctx), "", nil, "runc", "delete", "--force", id)
	ended := cmd.Wait()
	if err != nil {
		return "", at, fmt.Errorf("no line came: %w: %s", errors.Join(err, ended), problems.String())
	}
	return strings.TrimSpace(line), at, deleted
}
