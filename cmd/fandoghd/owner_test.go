package main

import (
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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
