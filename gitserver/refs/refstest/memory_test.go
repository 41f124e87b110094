package refstest_test

import (
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/gitserver/refs/refstest"
)

func TestMemory(t *testing.T) {
	var commits []plumbing.Hash
	for _, digit := range []string{"1", "2", "3"} {
		commits = append(commits, plumbing.NewHash(strings.Repeat(digit, 40)))
	}
	var memory refstest.Memory
	refstest.TestStore(t, memory.Store(t.TempDir(), nil), commits)
}
