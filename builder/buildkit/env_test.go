//go:build linux

package buildkit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
	"github.com/fandoghpaas/fandogh/builder/buildkitd"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
)

// env is the one buildkitd, the one registry and the one Solver of this test binary.
var env struct {
	buildkittest.Env
	manager *buildkitd.Manager
	dir     string // of buildkitd
}

func TestMain(m *testing.M) {
	dockerfile.Main()
	os.Exit(env.Main(m, func(dir string, allow []string) (_ buildkittest.Daemon, _ builder.Solver, err error) {
		env.dir = filepath.Join(dir, "buildkit")
		config := managerConfig(env.dir, env.Registry)
		config.Allow = append(config.Allow, allow...)
		if env.manager, err = buildkitd.New(config); err != nil {
			return nil, nil, err
		}
		solving := solverConfig(env.manager, env.Registry)
		solving.TimesDir = filepath.Join(dir, "times")
		solver, err := New(solving)
		return env.manager, solver, err
	}))
}

// What the build cache may take and must leave, in bytes.
const sharedKeep, sharedFree = 20 << 30, 1 << 30

func managerConfig(dir string, registry *buildkittest.Registry) buildkitd.Config {
	return buildkitd.Config{
		Dir: dir, Binary: buildkittest.Tool("buildkitd"),
		RegistryHost: registry.Host(), RegistryAliases: []string{buildkittest.PublicName}, PlainHTTP: true, Logger: buildkittest.Logger("buildkitd"),
		Allow: []string{buildkittest.OutsideAllowed}, KeepBytes: sharedKeep, Disk: &buildkitd.Disk{Dir: os.TempDir(), Free: sharedFree},
	}
}

func solverConfig(manager *buildkitd.Manager, registry *buildkittest.Registry) Config {
	return Config{
		Addresses:    func() []string { return []string{manager.Address()} },
		RegistryHost: registry.Host(), RegistryAliases: []string{buildkittest.PublicName}, PlainHTTP: true, Refuses: manager.Refuses, Logger: buildkittest.Logger("solver"),
	}
}

// newManager makes a manager, for tests that need one of their own.
func newManager(t *testing.T, cfg buildkitd.Config) *buildkitd.Manager {
	t.Helper()
	m, err := buildkitd.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newSolver makes a solver, for tests that need one of their own.
func newSolver(t *testing.T, cfg Config) *Solver {
	t.Helper()
	solver, err := New(cfg)
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
