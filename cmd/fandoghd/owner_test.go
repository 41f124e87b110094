package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/config"
)

// What another user's data directory answers tells whose to be, not to look elsewhere.
func TestDataDirectoryOfAnother(t *testing.T) {
	for _, row := range []struct {
		err     error
		owner   bool
		message string
	}{
		{unix.EACCES, true, "run fandoghd as the owner of the directory"},
		{unix.EPERM, true, "run fandoghd as the owner of the directory"},
		{fs.ErrNotExist, false, "set it with --data"},
		{unix.ENOTDIR, false, "set it with --data"},
	} {
		got := noData("data", row.err).Error()
		if !strings.Contains(got, row.message) || strings.Contains(got, "is not a data directory") == row.owner {
			t.Errorf("%v: %s", row.err, got)
		}
		if got := dataFault(row.err).Error(); strings.Contains(got, "run fandoghd as the owner of the directory") != row.owner {
			t.Errorf("%v: %s", row.err, got)
		}
	}
}

// TestDatabaseIsLost has images and no catalog of them: a new one would take them for what nothing needs.
func TestDatabaseIsLost(t *testing.T) {
	const repositories, images = "repos/ann/app.git", "registry/docker/registry/v2/repositories/ann/app"
	for name, test := range map[string]struct {
		dirs     []string
		database *string
		lost     bool
	}{
		"new":                {nil, nil, false},
		"cut short":          {nil, new(string), false},
		"no images":          {[]string{"repos/.incoming/x", "repos/.aside/x", "repos/ann", "registry/trash/x"}, new(string), false},
		"missing":            {[]string{repositories}, nil, true},
		"empty":              {[]string{repositories}, new(string), true},
		"images without git": {[]string{images}, new(string), true},
		"there":              {[]string{repositories, images}, new("SQLite format 3"), false},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			for _, dir := range test.dirs {
				if err := os.MkdirAll(filepath.Join(data, dir), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if test.database != nil {
				if err := os.WriteFile(databasePath(data), []byte(*test.database), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := lostDatabase(data); (err != nil) != test.lost {
				t.Fatalf("lost: %v", err)
			}
			if !test.lost {
				return
			}
			d := &daemon{config: config.Config{Data: data}, log: hclog.NewNullLogger()}
			if err := errors.Join(d.openStore(t.Context()), d.close()); err == nil || !strings.Contains(err.Error(), "restore") {
				t.Errorf("a daemon starts: %v", err)
			}
			if code := run(t.Context(), []string{"admin", "--data", data, "user", "list"}); code == 0 {
				t.Error("a verb succeeds")
			}
		})
	}
}
