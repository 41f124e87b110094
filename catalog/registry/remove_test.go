package registry_test

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Uploads begin while an image or a namespace is being removed, and are refused only after they made their files.
func TestRemovalBesideUploads(t *testing.T) {
	w := newEnv(t)
	ref := catalog.ImageRef{Namespace: "alice", Name: "app"}
	uploads := filepath.Join(w.config.Dir, "docker/registry/v2/repositories/alice/app/_uploads")
	for name, remove := range map[string]func() error{
		"image":     func() error { return w.registry.DeleteImage(ref) },
		"namespace": func() error { return w.registry.DeleteNamespace("alice") },
	} {
		for round := range 20 {
			w.must(os.MkdirAll(uploads, 0o700))
			var others sync.WaitGroup
			others.Go(func() {
				for i := range 300 {
					_ = os.Mkdir(filepath.Join(uploads, strconv.Itoa(i)), 0o700) // in vain once it is gone
				}
			})
			err := remove()
			others.Wait()
			if err != nil {
				t.Fatalf("%s, round %d: %v", name, round, err)
			}
			if _, err := os.Stat(uploads); err == nil {
				t.Fatalf("%s, round %d: it is still there", name, round)
			}
		}
	}
}
