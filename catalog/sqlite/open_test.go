package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
)

// TestMain runs this program as a second process that uses the same database
// when a test asks for it.
func TestMain(m *testing.M) {
	if path := os.Getenv("SQLITE_TEST_CHILD"); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child makes a user for each line it reads, and prints the name once it is stored.
func child(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	input := bufio.NewScanner(os.Stdin)
	for n := 0; input.Scan(); n++ {
		name := fmt.Sprintf("child%d-%d", os.Getpid(), n)
		if err := writeSome(ctx, s, name); err != nil {
			return err
		}
		fmt.Println(name)
	}
	return input.Err()
}

// writeSome makes a user, and then changes what it has to read first: such a
// transaction fails when another process writes between its two halves, unless
// it has the write lock from its beginning.
func writeSome(ctx context.Context, s *sqlite.Store, name string) error {
	u, err := s.CreateUser(ctx, catalog.NewUser{Name: name})
	if err != nil {
		return err
	}
	return s.SetMember(ctx, name, u.ID, catalog.RoleAdmin)
}

// process is a running child.
type process struct {
	cmd   *exec.Cmd
	asks  io.Writer
	names *bufio.Scanner
}

func startChild(t *testing.T, path string) process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "SQLITE_TEST_CHILD="+path)
	cmd.Stderr = os.Stderr
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return process{cmd: cmd, asks: in, names: bufio.NewScanner(out)}
}

// TestProcesses has two other processes make and write the database from its
// first moment while this one writes too, and kills them amid their work: what
// they said was stored is there.
func TestProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fandogh.db")
	children := []process{startChild(t, path), startChild(t, path)}
	ask := func(users int) {
		for _, c := range children {
			if _, err := io.WriteString(c.asks, strings.Repeat("\n", users)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var said []string
	s := sqlitetest.OpenFile(t, path)
	for n := range 20 {
		ask(1)
		if err := writeSome(t.Context(), s, fmt.Sprintf("parent-%d", n)); err != nil {
			t.Fatal(err)
		}
		for _, c := range children {
			if !c.names.Scan() {
				t.Fatal("a process ended early")
			}
			said = append(said, c.names.Text())
		}
	}
	ask(10_000)
	for _, c := range children {
		if !c.names.Scan() {
			t.Fatal("a process ended early")
		}
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for c.names.Scan() {
			said = append(said, c.names.Text())
		}
	}
	for _, name := range said {
		if _, err := s.User(t.Context(), name); err != nil {
			t.Errorf("%s was stored: %v", name, err)
		}
		if _, err := s.Role(t.Context(), 0, name); err != nil {
			t.Errorf("namespace %s was stored with its user: %v", name, err)
		}
	}
	if _, err := s.CreateUser(t.Context(), catalog.NewUser{Name: "after"}); err != nil {
		t.Errorf("a killed writer left the database locked: %v", err)
	}
}

func TestReopen(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "odd ?name#100%.db")
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	user, err := s.CreateUser(ctx, catalog.NewUser{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if code := catalog.CodeOf(s.Ping(ctx)); code != catalog.Unavailable {
		t.Errorf("ping of a closed store: got %q, want unavailable", code)
	}
	again := sqlitetest.OpenFile(t, path)
	if got, err := again.User(ctx, "ann"); err != nil || got != user {
		t.Errorf("got %+v, %v, want %+v", got, err, user)
	}
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v: it holds password hashes", name, info.Mode())
		}
	}
}

// TestOpenTogether opens a new database many times at once: one migrates it.
func TestOpenTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fandogh.db")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := sqlite.Open(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestNewerDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fandogh.db")
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := plain(t, path).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), path)
	if code := catalog.CodeOf(err); code != catalog.Unavailable {
		t.Errorf("got %q (%v), want unavailable", code, err)
	}
	if message := catalog.MessageOf(err); !strings.Contains(message, "9999") || !strings.Contains(message, path) {
		t.Errorf("message %q names neither schema nor database", message)
	}
}

// Beside a program that may use it, a database is opened only as it is.
func TestOpenAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fandogh.db")
	sqlitetest.OpenFile(t, path)
	s, err := sqlite.OpenAsItIs(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := plain(t, path)
	if _, err := db.Exec(`DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`); err != nil {
		t.Fatal(err)
	}
	var before, after int
	count := `SELECT count(*) FROM goose_db_version`
	if err := db.QueryRow(count).Scan(&before); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.OpenAsItIs(t.Context(), path); !errors.Is(err, sqlite.ErrOlder) {
		t.Errorf("an older schema: %v", err)
	}
	if err := db.QueryRow(count).Scan(&after); err != nil || after != before {
		t.Errorf("%d migrations became %d, %v", before, after, err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, path := range map[string]string{"no directory": filepath.Join(dir, "none", "x.db"), "a directory": dir, "no database": garbage} {
		if _, err := sqlite.Open(t.Context(), path); err == nil {
			t.Errorf("%s: opened", what)
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %q does not name the file", what, err)
		}
	}
}

// TestReadersDoNotWait lists while a writer holds the write lock.
func TestReadersDoNotWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fandogh.db")
	s := sqlitetest.OpenFile(t, path)
	tx, err := plain(t, path).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := s.ListUsers(t.Context(), catalog.NamePage{}); err != nil {
		t.Errorf("read beside a writer: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.CreateUser(ctx, catalog.NewUser{Name: "ann"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside another writer, with a context that ends: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateUser(t.Context(), catalog.NewUser{Name: "ann"}); err != nil {
		t.Errorf("write after the other writer: %v", err)
	}
}
