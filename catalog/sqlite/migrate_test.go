package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pressly/goose/v3"
)

// makeOlder makes a database of an earlier schema with much in it.
func makeOlder(t *testing.T, path string, schema int64) {
	t.Helper()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", dsn(path, busyTimeout, "_txlock", "immediate", "_journal_mode", "WAL"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a test's
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err == nil {
		_, err = provider.UpTo(t.Context(), schema)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO users (name, admin, password_hash, created_at) VALUES ('ann', 1, 'x', 1)`,
		`INSERT INTO namespaces (name) VALUES ('ann')`,
		`INSERT INTO members VALUES (1, 1, 3)`,
		`INSERT INTO images (namespace_id, name, owner_id, created_at) VALUES (1, 'app', 1, 1)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
			INSERT INTO versions (image_id, name, state, trigger_kind, commit_id, digest, created_at) SELECT 1, 'v' || i, 'BUILT', 'push', hex(randomblob(20)), 'sha256:' || hex(randomblob(32)), i FROM n`,
		`INSERT INTO builds (version_id, number, trigger_kind, commit_id, user_id, options, state, outcome, queued_at, ended_at)
			SELECT id, 1, trigger_kind, commit_id, 1, '{}', 'BUILT', 'built', created_at, created_at + 1 FROM versions`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// told returns what a database says of some things, one a line.
func told(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite3", dsn(path, busyTimeout))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read
	var out []string
	for _, query := range []string{
		`SELECT id || name || state || commit_id || digest || created_at FROM versions ORDER BY id`, `SELECT id || version_id || options || state || queued_at FROM builds ORDER BY id`,
		`SELECT name || coalesce(sql, '') FROM sqlite_schema ORDER BY name`, `SELECT version_id FROM goose_db_version ORDER BY id`, `PRAGMA integrity_check`,
	} {
		lines, err := all(t.Context(), db, scanText, query)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, lines...)
	}
	return strings.Join(out, "\n")
}

// An upgrade that the disk has no room for says what to do, wherever it stops, and goes on when there is room: nothing is lost.
func TestMigrateOnFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("disks are mounted by root")
	}
	made := t.TempDir()
	older, whole := filepath.Join(made, "older.db"), filepath.Join(made, "whole.db")
	makeOlder(t, older, 17)
	data, err := os.ReadFile(older)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(whole, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := openAt(t, whole).Close(); err != nil {
		t.Fatal(err)
	}
	want := told(t, whole)
	for _, room := range []int{0, 16, 256, 800} { // KiB
		dir := t.TempDir()
		path := filepath.Join(dir, "fandogh.db")
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", len(data)/1024+room+16)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), path)
		if err == nil {
			t.Errorf("with room for %d KiB it opens: %v", room, s.Close())
		} else if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "the disk of "+path+" is full; nothing is lost: free some space and start again") {
			t.Errorf("with room for %d KiB: %v", room, err)
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatal(err)
		}
		if err := openAt(t, path).Close(); err != nil {
			t.Fatal(err)
		}
		if told(t, path) != want {
			t.Errorf("with room for %d KiB at first, the database is another in the end", room)
		}
	}
}
