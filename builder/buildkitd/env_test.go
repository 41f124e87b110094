//go:build linux

package buildkitd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit"
	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
)

// env is the one buildkitd, the one registry and the one Solver of this test binary.
var env struct {
	buildkittest.Env
	manager *Manager
}

func TestMain(m *testing.M) {
	dockerfile.Main()
	if dir := os.Getenv(managerChildEnv); dir != "" {
		os.Exit(runManagerChild(dir))
	}
	os.Exit(env.Main(m, func(dir string, allow []string) (_ buildkittest.Daemon, _ builder.Solver, err error) {
		config := managerConfig(filepath.Join(dir, "buildkit"), env.Registry)
		config.Allow = append(config.Allow, allow...)
		if env.manager, err = New(config); err != nil {
			return nil, nil, err
		}
		solving := solverConfig(env.manager, env.Registry)
		solving.TimesDir = filepath.Join(dir, "times")
		solver, err := buildkit.New(solving)
		return env.manager, solver, err
	}))
}

// What the build cache may take and must leave, in bytes.
const sharedKeep, sharedFree = 20 << 30, 1 << 30

func managerConfig(dir string, registry *buildkittest.Registry) Config {
	return Config{
		Dir: dir, Binary: buildkittest.Tool("buildkitd"),
		RegistryHost: registry.Host(), RegistryAliases: []string{buildkittest.PublicName}, PlainHTTP: true, Logger: buildkittest.Logger("buildkitd"),
		Allow: []string{buildkittest.OutsideAllowed}, KeepBytes: sharedKeep, Disk: &Disk{Dir: os.TempDir(), Free: sharedFree},
	}
}

func solverConfig(manager *Manager, registry *buildkittest.Registry) buildkit.Config {
	return buildkit.Config{
		Addresses:    func() []string { return []string{manager.Address()} },
		RegistryHost: registry.Host(), RegistryAliases: []string{buildkittest.PublicName}, PlainHTTP: true, Refuses: manager.Refuses, Logger: buildkittest.Logger("solver"),
	}
}

// newManager makes a manager, for tests that need one of their own.
func newManager(t *testing.T, cfg Config) *Manager {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newSolver makes a solver, for tests that need one of their own.
func newSolver(t *testing.T, cfg buildkit.Config) *buildkit.Solver {
	t.Helper()
	solver, err := buildkit.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := solver.Close(); err != nil {
			t.Error(err)
		}
	})
	return solver
}
