package objects_test

import (
	"testing"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/objects/storagetest"
)

func TestFilesAreStorage(t *testing.T) {
	storagetest.TestStorage(t, objects.Files(t.TempDir()), t.TempDir())
}

func TestMemoryIsStorage(t *testing.T) {
	storagetest.TestStorage(t, new(storagetest.Memory).Storage(t.TempDir()), t.TempDir())
}
