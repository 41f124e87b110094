//go:build linux

package buildkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
)

// armProgram says what it was built for, in a process that it starts in its own place.
const armProgram = `package main

import (
	"os"
	"runtime"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "again" {
		println(syscall.Exec("/program", []string{"program"}, nil).Error())
		os.Exit(1)
	}
	os.Stdout.WriteString("runs for " + runtime.GOARCH + "\n")
	if err := os.WriteFile("/made", []byte(runtime.GOARCH), 0o644); err != nil {
		panic(err)
	}
}
`

// emulator returns the path of Debian's QEMU for arm64.
func emulator(t *testing.T) string {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("this machine needs no emulator for arm64, or has none for it")
	}
	path, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Skip("no qemu-aarch64-static here; apt-get install --no-install-recommends qemu-user-static (380 MB)")
	}
	return path
}

// armTree is a tree whose step runs a program for arm64 with a word, and nothing for amd64.
func armTree(t *testing.T, word string) *buildkittest.Tree {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(armProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "program"), filepath.Join(dir, "main.go"))
	build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	program, err := os.ReadFile(filepath.Join(dir, "program"))
	if err != nil {
		t.Fatal(err)
	}
	base := env.Request("ann", "arm-base", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY program /program\n"}).Add("program", string(program), 0o755))
	base.Options.Platform = "linux/arm64"
	env.Solve(t, base)
	return buildkittest.NewTree(map[string]string{"Dockerfile": "ARG TARGETARCH\nFROM " + base.Destination + " AS arm64\nRUN [\"/program\", \"" + word + "\"]\n" +
		"FROM scratch AS amd64\nFROM $TARGETARCH\nLABEL a=b\n"})
}

// The kernel starts QEMU for programs of arm64, and for what they start.
func TestStepsAreEmulatedByTheKernel(t *testing.T) {
	qemu := emulator(t)
	const dir = "/proc/sys/fs/binfmt_misc"
	if _, err := os.Stat(dir + "/register"); err != nil {
		if err := unix.Mount("binfmt_misc", dir, "binfmt_misc", 0, ""); err != nil {
			t.Skipf("this kernel has no binfmt_misc: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	}
	r := env.Request("ann", "emulated", "1.0", armTree(t, "again"))
	r.Options.Platform = "linux/amd64,linux/arm64"
	failure, _ := env.SolveError(t, r)
	if _, err := os.Stat(dir + "/qemu-aarch64"); err != nil { // not the machine's own
		if !strings.Contains(failure.Message, "this step runs a program for linux/arm64, and the builder can't") {
			t.Errorf("without an emulator: %s", failure.Message)
		}
		const name = "fandogh-test-aarch64"
		rule := ":" + name + `:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:` + qemu + ":F"
		if err := os.WriteFile(dir+"/register", []byte(rule), 0); err != nil {
			t.Skipf("this kernel takes no rule: %v", err)
		}
		t.Cleanup(func() { _ = os.WriteFile(dir+"/"+name, []byte("-1"), 0) })
	}
	checkEmulated(t, env.Solver, r)
}

// BuildKit starts its own emulator where it has one beside it. Debian's QEMU does not do so for what a program starts.
func TestStepsAreEmulatedByBuildKit(t *testing.T) {
	qemu, bin := emulator(t), t.TempDir()
	if err := os.Symlink(buildkittest.Tool("buildkitd"), filepath.Join(bin, "buildkitd")); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(qemu)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "buildkit-qemu-aarch64"), program, 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	config := managerConfig(t.TempDir(), env.Registry)
	config.Binary = filepath.Join(bin, "buildkitd")
	manager := newManager(t, config)
	buildkittest.RunReady(t, manager)
	r := env.Request("ann", "emulated", "2.0", armTree(t, "once"))
	r.Options.Platform = "linux/arm64,linux/amd64"
	checkEmulated(t, newSolver(t, solverConfig(manager, env.Registry)), r)
}

func checkEmulated(t *testing.T, solver builder.Solver, r builder.SolveRequest) {
	t.Helper()
	rec := &buildkittest.Recorder{}
	result, err := solver.Solve(t.Context(), r, rec.Event)
	if err != nil {
		t.Fatalf("%v\n%s", err, rec.Text())
	}
	_, images := index(t, r, result.Digest)
	if made := env.FilesOf(t, r, images["linux/arm64"])["made"]; made != "arm64" || !strings.Contains(rec.Text(), " | runs for arm64") {
		t.Errorf("made is %q in\n%s", made, rec.Text())
	}
}
