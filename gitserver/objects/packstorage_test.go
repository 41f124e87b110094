package objects_test

import (
	"testing"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/objects/storagetest"
)

func TestFilesArePackStorage(t *testing.T) {
	storagetest.TestPackStorage(t, objects.Files(t.TempDir()), t.TempDir())
}
