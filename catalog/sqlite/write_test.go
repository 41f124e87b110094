package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func openNew(t *testing.T) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "fandogh.db"))
}

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestEnter tries every step from every state: the public methods never ask
// for a wrong one, and if they did, the state table would stop them.
func TestEnter(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	u, err := s.CreateUser(ctx, catalog.NewUser{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	image, err := s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "app"}, OwnerID: u.ID})
	if err != nil {
		t.Fatal(err)
	}
	queued, err := s.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: image.ID, Version: "v1", Commit: "c0ffee"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range catalog.States() {
		for _, to := range catalog.States() {
			b := queued[0].Build
			b.State = from
			err := s.write(ctx, func(tx *sql.Tx) error {
				if _, err := tx.ExecContext(ctx, `UPDATE versions SET digest = 'sha256:d'`); err != nil {
					return err
				}
				return enter(ctx, tx, &b, to)
			})
			want := catalog.Code("")
			if !from.CanBecome(to) {
				want = catalog.Conflict
			}
			if got := catalog.CodeOf(err); got != want {
				t.Errorf("%s to %s: got %q (%v), want %q", from, to, got, err, want)
			}
		}
	}
}

// A full disk is told as what it is, whichever interface the user sees, and what is
// stored stays.
func TestDiskFull(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	var pages int
	if err := s.w.QueryRowContext(ctx, `PRAGMA page_count`).Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		t.Helper()
		if _, err := s.w.ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(pages)
	var err error
	made := 0
	for ; err == nil && made < 10000; made++ {
		_, err = s.CreateUser(ctx, catalog.NewUser{Name: fmt.Sprintf("user%d", made)})
	}
	if !errors.Is(err, syscall.ENOSPC) || catalog.CodeOf(err) != catalog.Unavailable || !strings.Contains(catalog.MessageOf(err), "disk is full and nothing was changed") {
		t.Errorf("after %d users: %v (%s)", made, err, catalog.MessageOf(err))
	}
	limit(pages * 2)
	if _, err := s.CreateUser(ctx, catalog.NewUser{Name: "later"}); err != nil {
		t.Error(err)
	}
	if _, err := s.User(ctx, fmt.Sprintf("user%d", made-2)); err != nil {
		t.Error(err)
	}
}

// TestWriteLocksFirst has another store write while a transaction has only
// read: what it read must stay true.
func TestWriteLocksFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fandogh.db")
	s, other := openAt(t, path), openAt(t, path)
	err := s.write(t.Context(), func(tx *sql.Tx) error {
		if _, err := role(t.Context(), tx, 1, 1); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := other.CreateUser(ctx, catalog.NewUser{Name: "eve"}); err == nil {
			t.Error("another store wrote amid a transaction")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
