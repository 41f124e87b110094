package main

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/backup"
)

// The admin verbs of a newer program change no database under the daemon of an older one.
func TestAdminBesideAnOlderDaemon(t *testing.T) {
	s := newEnv(t)
	db, err := sql.Open("sqlite3", databasePath(s.daemon.data)+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing is lost
	const newest = `(SELECT max(version_id) FROM goose_db_version)`
	var version int
	if err := db.QueryRow(`SELECT ` + newest).Scan(&version); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`DELETE FROM goose_db_version WHERE version_id = ` + newest); err != nil {
		t.Fatal(err)
	}
	if _, err := s.daemon.admin("", "user", "list"); err == nil || !strings.Contains(err.Error(), "restart the daemon") {
		t.Errorf("told: %v", err)
	}
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)`, version); err != nil {
		t.Fatal(err)
	}
	if _, err := s.daemon.admin("", "user", "list"); err != nil {
		t.Error(err)
	}
}

// A backup by a newer program is whole: an older one says what it is.
func TestRestoreOfANewerBackup(t *testing.T) {
	s := newEnv(t)
	backups := filepath.Join(t.TempDir(), "backups")
	if _, err := s.daemon.admin("", "backup", backups); err != nil {
		t.Fatal(err)
	}
	newest, _, err := backup.Newest(backups)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", databasePath(filepath.Join(newest, backup.DataDir)))
	if err == nil {
		_, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	out, err := exec.Command("fandoghd", "admin", "restore", backups, "--data", restored).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "a newer fandoghd wrote it; run that version") || strings.Contains(string(out), "damaged") {
		t.Errorf("told: %v\n%s", err, out)
	}
	if left, err := os.ReadDir(restored); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
