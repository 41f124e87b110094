package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestBuildStampsTheVersion links as `make build` does: a path that names no variable would be
// passed over in silence.
func TestBuildStampsTheVersion(t *testing.T) {
	const want = "v9.8.7-6-g24f69c9"
	dry := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-n", "build", "VERSION="+want)
	dry.Dir = "../.."
	recipe, err := dry.Output()
	if err != nil {
		t.Fatalf("make -n build: %v", err)
	}
	flags := regexp.MustCompile(`-ldflags='([^']+)'`).FindSubmatch(recipe)
	if flags == nil {
		t.Fatalf("make build gives the linker no flags: %s", recipe)
	}
	program := filepath.Join(t.TempDir(), "fandogh")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags="+string(flags[1]), "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), program, "--version").Output()
	if got := string(out); err != nil || got != "fandogh version "+want+"\n" {
		t.Errorf("got %q, %v", got, err)
	}
}
