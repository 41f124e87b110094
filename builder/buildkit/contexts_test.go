//go:build linux

package buildkit

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// stallingTree has a file of which nothing can be read until go on is closed.
type stallingTree struct {
	*buildkittest.Tree
	stalls string
	goOn   chan struct{}
}

func (t *stallingTree) Open(name string) (fs.File, error) {
	file, err := t.Tree.Open(name)
	if err == nil && name == t.stalls {
		file = stalledFile{file, t.goOn}
	}
	return file, err
}

type stalledFile struct {
	fs.File
	goOn chan struct{}
}

func (f stalledFile) Read(b []byte) (int, error) {
	<-f.goOn
	return f.File.Read(b)
}

// BuildKit notes what the files of a context hold when all have come. One that is killed before has files
// of one version on its disk and knows them as those of another.
func TestContextThatWasCutOffIsSentAgain(t *testing.T) {
	dir := t.TempDir()
	m := newManager(t, managerConfig(dir, env.Registry))
	buildkittest.RunReady(t, m)
	solver := newSolver(t, solverConfig(m, env.Registry))
	tree := func(content, later string) *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "COPY content /\nRUN cp /content /copy\nCOPY later /\nRUN true\n", "content": content, "later": later}).WithBusybox()
	}
	if _, err := solver.Solve(t.Context(), env.Request("ann", "cutoff", "1", tree("one", "1")), func(builder.Event) {}); err != nil {
		t.Fatal(err)
	}

	second := env.Request("ann", "cutoff", "2", nil)
	stalling := &stallingTree{tree("two", "2"), "later", make(chan struct{})}
	second.Tree = stalling
	done := make(chan error, 1)
	go func() {
		_, err := solver.Solve(t.Context(), second, func(builder.Event) {})
		done <- err
	}()
	testkit.Eventually(t, "one file has come", func() bool {
		copies, err := filepath.Glob(filepath.Join(dir, "root/runc-overlayfs/snapshots/snapshots/*/fs/content")) //nolint:forbidigo // no name of others
		return err == nil && slices.ContainsFunc(copies, func(path string) bool {
			text, _ := os.ReadFile(path)
			var info syscall.Stat_t
			return syscall.Stat(path, &info) == nil && string(text) == "two" && info.Mtim != info.Ctim // it is dated last
		})
	})
	if err := syscall.Kill(buildkittest.DaemonOf(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	close(stalling.goOn)
	if err := <-done; err == nil {
		t.Fatal("the solve did not notice that buildkitd is gone")
	}

	second.Tree = tree("two", "2")
	if _, err := solver.Solve(t.Context(), second, func(builder.Event) {}); err != nil {
		t.Fatal(err)
	}
	if files := env.ImageFiles(t, second); files["content"] != "two" || files["copy"] != "two" {
		t.Errorf("content %q, copy %q", files["content"], files["copy"])
	}
}
