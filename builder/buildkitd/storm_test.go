//go:build linux

package buildkitd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// oneTree is a catalog.Sources of which every commit is the same tree.
type oneTree struct {
	catalog.Sources
	tree *buildkittest.Tree
}

func (o oneTree) Tree(context.Context, catalog.ImageRef, string) (catalog.Tree, error) {
	return o.tree, nil
}

// Peek implements catalog.Sources: a build that was slow is looked into, and nothing comes of it.
func (oneTree) Peek(context.Context, catalog.ImageRef, string) (catalog.CommitFiles, error) {
	return nil, errors.New("nothing to look into")
}
func (oneTree) SetTag(context.Context, catalog.ImageRef, string, string) error      { return nil }
func (oneTree) Keep(context.Context, catalog.ImageRef, string) error                { return nil }
func (oneTree) WithdrawTag(context.Context, catalog.ImageRef, string, string) error { return nil }

type namespaceCredentials struct{}

func (namespaceCredentials) Issue(g catalog.BuildGrant) (builder.Credential, func()) {
	return builder.Credential{Username: g.Image.Namespace, Password: g.Image.Namespace}, func() {}
}

// newQueue returns a builder over a solver, an image in it, and its log's followers.
func newQueue(t *testing.T, solver *buildkit.Solver, tree *buildkittest.Tree) (*builder.Builder, catalog.Image) {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "fandogh.db"))
	if err != nil {
		t.Fatal(err)
	}
	user, err := store.CreateUser(t.Context(), catalog.NewUser{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	image, err := store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "storm"}, OwnerID: user.ID})
	if err != nil {
		t.Fatal(err)
	}
	b, err := builder.New(builder.Config{
		Store: store, Sources: oneTree{tree: tree}, Solver: solver, Credentials: namespaceCredentials{},
		RegistryHost: env.Registry.Host, LogDir: filepath.Join(dir, "logs"), WorkerID: "test",
		Settings: builder.Settings{Parallel: 4, Timeout: 30 * time.Minute}, RetryDelay: 10 * time.Millisecond, Logger: buildkittest.Logger("builder"),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, image
}

func TestNoBuildIsLostWhileBuildkitdIsKilled(t *testing.T) {
	cfg := managerConfig(t.TempDir(), env.Registry)
	m := newManager(t, cfg)
	m.timing.backoff = 10 * time.Millisecond
	buildkittest.RunReady(t, m)
	solver := newSolver(t, solverConfig(m, env.Registry))
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN date +%N >/when; sleep 0.1\nRUN sleep 0.1; cat /when\n"}).WithBusybox()
	b, image := newQueue(t, solver, tree)
	var wanted []catalog.NewBuild
	for i := range 20 {
		wanted = append(wanted, catalog.NewBuild{ImageID: image.ID, Version: fmt.Sprintf("v%d", i), Trigger: catalog.TriggerPush,
			Commit: fmt.Sprintf("%040d", i), UserID: image.OwnerID, Options: catalog.BuildOptions{NoCache: true}})
	}
	queued, err := b.Submit(t.Context(), wanted)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		pid := buildkittest.DaemonOf(t, m.cfg.Dir)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the manager starts another", func() bool {
			running := buildkittest.Processes(filepath.Join(m.cfg.Dir, "buildkitd.toml"))
			return len(running) == 1 && filepath.Base(running[0]) != fmt.Sprint(pid)
		})
		if err := m.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range queued {
		var log string
		build, err := b.FollowLog(t.Context(), q.ID, 0, func(lines []catalog.LogLine) error {
			for _, line := range lines {
				log += line.Text + "\n"
			}
			return nil
		})
		if err != nil || build.State != catalog.Built || build.Attempts != 1 {
			t.Errorf("%s ended %s after %d attempts, %v:\n%s", q.Version, build.State, build.Attempts, err, log)
		}
	}
}
