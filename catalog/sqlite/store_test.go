package sqlite_test

import (
	"database/sql"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/catalog/storetest"
)

// plain opens the database beside the store, with nothing set.
func plain(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) catalog.Store {
		return sqlitetest.Open(t, t.TempDir())
	})
}

func TestLimits(t *testing.T) {
	storetest.RunLimits(t, func(t *testing.T, l catalog.Limits) catalog.Store {
		s := sqlitetest.Open(t, t.TempDir())
		s.SetLimits(l)
		return s
	})
}
