// Package sqlitetest opens stores for tests.
package sqlitetest

import (
	"path/filepath"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog/sqlite"
)

// Open opens the store in a directory, and closes it when the test ends.
func Open(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	return OpenFile(t, filepath.Join(dir, "fandogh.db"))
}

// OpenFile opens the store in a file, and closes it when the test ends.
func OpenFile(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}
