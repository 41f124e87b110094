package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// The tools of an ecosystem are played by scripts. Both take the same work to the
// same end whenever they read the same.
const (
	// installModules lays out what a lock file names: a few thousand files, some of which
	// follow from it, and as long as a fast network would need.
	installModules = `#!/bin/sh
set -e
mkdir -p "$2"
tar xf /usr/share/modules.tar -C "$2"
for module in "$2"/d00*; do sha256sum "$1" >>"$module/integrity"; done
sleep 1
`
	// compile reads all sources, and keeps what it made of each folder.
	compile = `#!/bin/sh
set -e
mkdir -p "$2" "$3"
for folder in $(find "$1" -type d | sort); do
  key=$(find "$folder" -maxdepth 1 -type f | sort | xargs -r cat | sha256sum | cut -c 1-64)
  [ -f "$3/$key" ] || { find "$folder" -maxdepth 1 -type f | sort | xargs -r cat | gzip >"$3/$key.new"; mv "$3/$key.new" "$3/$key"; }
  cat "$3/$key" >>"$2/bundle"
done
sha256sum "$2/bundle" >"$2/version"
`
	moduleFiles, moduleSize = 3000, 2500
)

// base is the image that apps are built from, in a registry of its own: both sides
// have it from elsewhere.
type base struct {
	*programs.Process
	image string
}

func (b *bench) startBase(ctx context.Context) (*base, error) {
	dir := b.path("base")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// Our daemon builds from no other registry of its own host.
	registry, address, err := b.startRegistry(ctx, dir, "127.0.0.2")
	if err != nil {
		return nil, err
	}
	built := &base{registry, address + "/tools:1"}
	if err := built.make(ctx, b, dir); err != nil {
		built.Stop()
		return nil, err
	}
	return built, nil
}

// make packs the base's files as one layer.
func (ba *base) make(ctx context.Context, b *bench, dir string) error {
	root := filepath.Join(dir, "root")
	bin := filepath.Join(root, "bin")
	for _, d := range []string{bin, filepath.Join(root, "tmp"), filepath.Join(root, "usr/share")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := (&workTree{dir: bin}).copyBusybox(); err != nil {
		return err
	}
	applets, err := programs.Command(ctx, "", nil, "busybox", "--list")
	if err != nil {
		return err
	}
	for applet := range strings.FieldsSeq(strings.ReplaceAll(applets, "busybox\n", "")) {
		if err := os.Symlink("busybox", filepath.Join(bin, applet)); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"install-modules": installModules, "compile": compile} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	modules := &workTree{dir: filepath.Join(dir, "modules"), names: "d%03d/f%05d.js", inFolder: 20}
	if err := modules.fill(ctx, moduleFiles, moduleSize, 5_000_000); err != nil {
		return err
	}
	layer := filepath.Join(dir, "layer.tar")
	for _, args := range [][]string{
		{"tar", "cf", filepath.Join(root, "usr/share/modules.tar"), "--sort=name", "-C", modules.dir, "."},
		{"tar", "cf", layer, "--sort=name", "-C", root, "."},
		{b.tool("crane"), "append", "--insecure", "-f", layer, "-t", ba.image},
		{b.tool("crane"), "mutate", "--insecure", "--set-platform", "linux/amd64", "--env", "PATH=/bin", "-t", ba.image, ba.image},
	} {
		if _, err := programs.Command(ctx, "", nil, args[0], args[1:]...); err != nil {
			return fmt.Errorf("the apps' base: %w", err)
		}
	}
	return nil
}
