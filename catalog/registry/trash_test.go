package registry

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// What one collection puts into the trash is not taken by another one for what has long been there.
func TestTrashIsNotEmptiedOfWhatJustCame(t *testing.T) {
	r := &Registry{dir: t.TempDir()}
	before := time.Now().Add(-time.Hour)
	done := make(chan struct{})
	var other sync.WaitGroup
	other.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if err := r.emptyTrash(t.Context(), before, new(BlobCount)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	defer other.Wait()
	defer close(done)
	for i := range 2000 {
		path, d := filepath.Join(r.dir, "blob"), digest.FromString(string(rune(i)))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, before.Add(-time.Hour), before.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := r.discard(path, d); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(r.trashPath(d)); err != nil {
			t.Fatal(err)
		}
	}
}
