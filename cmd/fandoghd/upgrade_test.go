package main

import (
	"database/sql"
	"strings"
	"testing"
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
