package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/backup"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// place is a directory of snapshots of a directory of files.
type place struct {
	t         *testing.T
	from, dir string
}

func newPlace(t *testing.T) place {
	dir := t.TempDir()
	p := place{t, filepath.Join(dir, "from"), filepath.Join(dir, "backups")}
	p.must(os.Mkdir(p.from, 0o700))
	return p
}

func (p place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p place) write(name, content string) {
	p.t.Helper()
	p.must(os.WriteFile(filepath.Join(p.from, name), []byte(content), 0o640))
}

// add adds all files; those whose names begin with f are fixed by their size, and with t by their time.
func (p place) add(to backup.Sink) {
	p.t.Helper()
	entries, err := os.ReadDir(p.from)
	p.must(err)
	for _, e := range entries {
		fixed := map[byte]backup.Fixed{'f': backup.BySize, 't': backup.ByTime}[e.Name()[0]]
		p.must(to.Add(backup.DataDir+"/"+e.Name(), filepath.Join(p.from, e.Name()), fixed))
	}
}

func (p place) begin(keep int) *backup.Snapshot {
	p.t.Helper()
	s, err := backup.Begin(p.t.Context(), p.dir, keep)
	p.must(err)
	p.t.Cleanup(s.Close)
	return s
}

func (p place) make(keep int) (*backup.Snapshot, backup.Manifest) {
	p.t.Helper()
	s := p.begin(keep)
	p.add(s)
	m, err := s.Finish(backup.Manifest{Made: time.Now().UTC(), Program: "test"})
	p.must(err)
	s.Close()
	return s, m
}

func (p place) names() []string {
	p.t.Helper()
	entries, err := os.ReadDir(p.dir)
	p.must(err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSnapshotsShareWhatDoesNotChange(t *testing.T) {
	p := newPlace(t)
	p.write("fixed", "never changes")
	p.write("moves", "1")
	p.write("gone", "soon")
	first, _ := p.make(5)
	p.must(os.Remove(filepath.Join(p.from, "gone")))
	p.write("moves", "2")
	p.write("fnew", "is new")
	second, m := p.make(5)

	if second.Copied() != int64(len("2is new")) {
		t.Errorf("%d bytes were copied", second.Copied())
	}
	testkit.Same(t, "first", contents(t, filepath.Join(first.Path(), backup.DataDir)), map[string]string{"fixed": "never changes", "moves": "1", "gone": "soon"})
	testkit.Same(t, "second", contents(t, filepath.Join(second.Path(), backup.DataDir)), map[string]string{"fixed": "never changes", "moves": "2", "fnew": "is new"})
	for _, name := range []string{"fixed", "moves"} {
		a, err := os.Stat(filepath.Join(first.Path(), backup.DataDir, name))
		p.must(err)
		b, err := os.Stat(filepath.Join(second.Path(), backup.DataDir, name))
		p.must(err)
		if os.SameFile(a, b) != (name == "fixed") || b.Mode().Perm() != 0o640 {
			t.Errorf("%s: same file: %v, mode %v", name, os.SameFile(a, b), b.Mode())
		}
		source, err := os.Stat(filepath.Join(p.from, name))
		p.must(err)
		if !b.ModTime().Equal(source.ModTime()) {
			t.Errorf("%s has another time", name)
		}
	}

	to := filepath.Join(t.TempDir(), "restored")
	newest, known, err := backup.Newest(p.dir)
	p.must(err)
	files, size, err := backup.Restore(t.Context(), newest, to, func(name string) string { return "to-" + name })
	p.must(err)
	testkit.Same(t, "manifest", known, m)
	if newest != second.Path() || files != m.Files || size != m.Bytes {
		t.Errorf("restored %d files, %d bytes of %s; made were %+v", files, size, newest, m)
	}
	testkit.Same(t, "restored", contents(t, to), map[string]string{"to-fixed": "never changes", "to-moves": "2", "to-fnew": "is new"})
	p.must(os.Remove(filepath.Join(newest, backup.DataDir, "fnew")))
	if files, _, err := backup.Restore(t.Context(), newest, filepath.Join(t.TempDir(), "x"), strings.Clone); err != nil || files == m.Files {
		t.Errorf("of a snapshot that lost one: %d files, %v", files, err)
	}
}

// A file that another data directory has by the same name is no other's, though it is as long.
func TestFixedByTime(t *testing.T) {
	p := newPlace(t)
	p.write("times", "same")
	p.make(5)
	again, _ := p.make(5)
	p.write("times", "else")
	later := time.Now().Add(time.Second)
	p.must(os.Chtimes(filepath.Join(p.from, "times"), later, later))
	other, _ := p.make(5)
	if again.Copied() != 0 || other.Copied() != 4 {
		t.Errorf("of the same file %d bytes were copied, of another %d", again.Copied(), other.Copied())
	}
	testkit.Same(t, "the other", contents(t, filepath.Join(other.Path(), backup.DataDir)), map[string]string{"times": "else"})
}

func TestOlderSnapshotsGo(t *testing.T) {
	p := newPlace(t)
	p.write("fixed", "x")
	p.must(os.MkdirAll(filepath.Join(p.dir, "of others"), 0o700))
	p.make(2)
	b, _ := p.make(2)
	c, _ := p.make(2)
	testkit.Same(t, "names", p.names(), []string{filepath.Base(b.Path()), filepath.Base(c.Path()), "of others"})
}

// One that is interrupted is never restored; the one before it is. The next goes on from what it has of large files.
func TestInterruptedSnapshot(t *testing.T) {
	p := newPlace(t)
	large := strings.Repeat("large", 1<<20)
	p.write("fsmall", "small")
	first, _ := p.make(1)
	p.write("flarge", large)
	p.write("fsecond", "second")
	interrupted := p.begin(1)
	p.add(interrupted)
	left := interrupted.Path() + ".incomplete"
	kept, err := os.Stat(filepath.Join(left, backup.DataDir, "flarge"))
	p.must(err)
	interrupted.Close()

	if newest, _, err := backup.Newest(p.dir); newest != first.Path() || err != nil {
		t.Errorf("the newest is %s, %v", newest, err)
	}
	if _, _, err := backup.Newest(left); err == nil || !strings.Contains(err.Error(), "incomplete") {
		t.Errorf("of the interrupted one: %v", err)
	}
	last, _ := p.make(1)
	reused, err := os.Stat(filepath.Join(last.Path(), backup.DataDir, "flarge"))
	p.must(err)
	if !os.SameFile(kept, reused) || last.Copied() != int64(len("second")) {
		t.Errorf("%d bytes were copied", last.Copied())
	}
	testkit.Same(t, "names", p.names(), []string{filepath.Base(last.Path())})
	testkit.Same(t, "last", contents(t, filepath.Join(last.Path(), backup.DataDir)), map[string]string{"fsmall": "small", "flarge": large, "fsecond": "second"})
}

// To a disk that does not tell upper from lower case, two versions v1 and V1 have one name: neither may take the other's place.
func TestNamesThatAreOneToTheDisk(t *testing.T) {
	p := newPlace(t)
	p.write("fv1", "one")
	p.write("mv1", "two")
	s := p.begin(1)
	p.add(s)
	for _, fixed := range []backup.Fixed{backup.Changing, backup.BySize} {
		if err := s.Add(backup.DataDir+"/mv1", filepath.Join(p.from, "fv1"), fixed); err == nil || !strings.Contains(err.Error(), "upper and lower case") {
			t.Errorf("a name that is taken: %v", err)
		}
	}
}

func TestOneBackupToAPlace(t *testing.T) {
	p := newPlace(t)
	first := p.begin(1)
	if _, err := backup.Begin(t.Context(), p.dir, 1); err == nil || !strings.Contains(err.Error(), "another backup") {
		t.Errorf("a second one: %v", err)
	}
	first.Close()
	p.make(1)
}

func TestNewerFormatIsRefused(t *testing.T) {
	p := newPlace(t)
	s, _ := p.make(1)
	p.must(os.WriteFile(filepath.Join(s.Path(), "backup.json"), []byte(`{"format": 2, "program": "fandogh 9"}`), 0o600))
	if _, _, err := backup.Newest(p.dir); err == nil || !strings.Contains(err.Error(), "fandogh 9") {
		t.Error(err)
	}
}

func TestStream(t *testing.T) {
	p := newPlace(t)
	p.write("fixed", "x")
	p.write("moves", "12")
	var out bytes.Buffer
	stream := backup.NewStream(t.Context(), &out)
	p.add(stream)
	m, err := stream.Finish(backup.Manifest{})
	p.must(err)
	var names []string
	for r := tar.NewReader(&out); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		p.must(err)
		names = append(names, header.Name)
	}
	testkit.Same(t, "names", names, []string{"data/fixed", "data/moves", "backup.json"})
	if m.Files != 2 || m.Bytes != 3 {
		t.Errorf("%+v", m)
	}
}

// While all is read nothing is removed, and those that remove are waited for.
func TestHold(t *testing.T) {
	data := t.TempDir()
	done, err := backup.Removing(data)
	if err != nil {
		t.Fatal(err)
	}
	other, err := backup.Removing(data)
	if err != nil {
		t.Fatalf("another that removes: %v", err)
	}
	other()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := backup.Hold(ctx, data, cancel); !errors.Is(err, context.Canceled) {
		t.Fatalf("while something is removed: %v", err)
	}
	release, err := backup.Hold(t.Context(), data, done)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Removing(data); catalog.CodeOf(err) != catalog.Unavailable {
		t.Errorf("while it is held: %v", err)
	}
	release()
	if done, err := backup.Removing(data); err != nil {
		t.Error(err)
	} else {
		done()
	}
}

// TestWhatIsNoManifest has in its place what is read without an end, or never.
func TestWhatIsNoManifest(t *testing.T) {
	for name, make := range map[string]func(file string) error{
		"a pipe":      func(file string) error { return unix.Mkfifo(file, 0o600) },
		"a link":      func(file string) error { return os.Symlink(filepath.Join(filepath.Dir(file), "elsewhere"), file) },
		"a directory": func(file string) error { return os.Mkdir(file, 0o700) },
		"a large file": func(file string) error {
			return os.WriteFile(file, append(bytes.Repeat([]byte(" "), 2<<20), `{"format": 1}`...), 0o600)
		},
		"an empty one": func(file string) error { return os.WriteFile(file, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(os.WriteFile(filepath.Join(dir, "elsewhere"), []byte(`{"format": 1}`), 0o600), make(filepath.Join(dir, "backup.json"))); err != nil {
				t.Fatal(err)
			}
			found := testkit.Buffer{}
			go func() {
				snapshot, m, err := backup.Newest(dir)
				_, _ = fmt.Fprintln(&found, err, snapshot, m)
			}()
			testkit.Eventually(t, "it is refused", func() bool { return found.String() != "" })
			if strings.HasPrefix(found.String(), "<nil>") {
				t.Error(found.String())
			}
		})
	}
}
