package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/builder/buildkit"
	"github.com/fandoghpaas/fandogh/config"
)

// usualPlatforms are those that most images for several platforms have.
var usualPlatforms = []string{"linux/amd64", "linux/arm64"}

// checkPlatforms looks at what images can be built for.
func checkPlatforms(ctx context.Context, c config.Config) (found []finding) {
	var all []string
	if len(c.Builder.Addresses) == 0 {
		all = buildkit.MachinePlatforms()
		found = append(found, finding{level: fine, what: "programs run here for " + strings.Join(all, ", ")})
	}
	complete := true
	for _, address := range c.Builder.Addresses {
		named, err := buildkit.Platforms(ctx, address, buildkit.TLS{CA: c.Builder.TLS.CA, Cert: c.Builder.TLS.Cert, Key: c.Builder.TLS.Key})
		if err != nil {
			complete = false
			found = append(found, finding{fault, fmt.Sprintf("BuildKit at %s does not respond: %v", address, err), []string{"start it, or correct builder.addresses and builder.tls"}})
			continue
		}
		all = append(all, named...)
		found = append(found, finding{level: fine, what: fmt.Sprintf("BuildKit at %s runs programs for %s", address, strings.Join(named, ", "))})
	}
	for _, platform := range usualPlatforms {
		if complete && !slices.Contains(all, platform) {
			found = append(found, finding{note, "programs for " + platform + " do not run: images for it can be built only by Dockerfiles that compile FROM --platform=$BUILDPLATFORM",
				append(emulate(c, platform), "or add a BuildKit on such a machine to builder.addresses")})
		}
	}
	return found
}

// binfmtDir is where the kernel says by what it starts programs for other machines.
const binfmtDir = "/proc/sys/fs/binfmt_misc"

// emulators are QEMU's names of machines.
var emulators = map[string]string{"linux/amd64": "x86_64", "linux/arm64": "aarch64"}

// emulate says what to type to have a platform emulated by this machine's kernel.
func emulate(c config.Config, platform string) []string {
	if len(c.Builder.Addresses) > 0 {
		return []string{"on the machine of a BuildKit: apt-get install qemu-user-static binfmt-support"}
	}
	machine := emulators[platform]
	var steps []string
	if !hasBinfmt() {
		steps = append(steps, "modprobe binfmt_misc")
	}
	if _, err := os.Stat(filepath.Join(binfmtDir, "register")); errors.Is(err, os.ErrNotExist) {
		steps = append(steps, "mount -t binfmt_misc binfmt_misc "+binfmtDir)
	}
	if _, err := exec.LookPath("qemu-" + machine + "-static"); err != nil {
		return append(steps, "apt-get install qemu-user-static binfmt-support")
	}
	registered, err := os.ReadFile(filepath.Join(binfmtDir, "qemu-"+machine))
	switch {
	case err != nil:
		steps = append(steps, "apt-get install binfmt-support && update-binfmts --import qemu-"+machine+"    # or, with systemd: systemctl restart systemd-binfmt")
	case !strings.HasPrefix(string(registered), "enabled"):
		steps = append(steps, "echo 1 > "+filepath.Join(binfmtDir, "qemu-"+machine))
	case !hasFlag(string(registered), "F"):
		steps = append(steps, "register qemu-"+machine+" again with the flag F: steps do not see "+"this machine's files")
	}
	return steps
}

// hasBinfmt reports whether the kernel has binfmt_misc now.
func hasBinfmt() bool {
	text, err := os.ReadFile("/proc/filesystems")
	return err != nil || strings.Contains(string(text), "binfmt_misc")
}

// hasFlag reads the line "flags: OCF" of a registration.
func hasFlag(registered, flag string) bool {
	for line := range strings.Lines(registered) {
		if flags, ok := strings.CutPrefix(line, "flags:"); ok {
			return strings.Contains(flags, flag)
		}
	}
	return false
}
