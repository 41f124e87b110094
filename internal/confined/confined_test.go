package confined

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	withFiles = Child{Name: "fandogh-test-files", Memory: 64 << 20, Temporary: 1 << 20}
	withNone  = Child{Name: "fandogh-test-none", Memory: 64 << 20}
)

func TestMain(m *testing.M) {
	for _, c := range []Child{withFiles, withNone} {
		if c.Is() {
			c.Main(func(conn net.Conn) error {
				if err := c.Confine(); err != nil {
					return err
				}
				_, err := fmt.Fprint(conn, "\x00", look())
				return err
			})
		}
	}
	os.Exit(m.Run())
}

// look says what there is in the root, and what can be written.
func look() string {
	var found []string
	entries, err := os.ReadDir("/")
	for _, e := range entries {
		found = append(found, e.Name())
	}
	if err != nil {
		found = append(found, err.Error())
	}
	text, err := os.ReadFile("file")
	if err == nil {
		found = append(found, "file has "+string(text))
	}
	for name, size := range map[string]int{"/new": 0, "file": 1, "/tmp/small": 1 << 10} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err == nil {
			found = append(found, "wrote "+name)
		}
	}
	if err := os.WriteFile("/tmp/large", make([]byte, 2<<20), 0o600); err == nil {
		found = append(found, "wrote /tmp/large")
	}
	if _, err := os.Stat("/etc/passwd"); !errors.Is(err, fs.ErrNotExist) {
		found = append(found, "saw /etc/passwd")
	}
	return strings.Join(found, ", ")
}

// A child sees the files of one directory, changes none of them, and writes a little beside them.
func TestChildSeesOneDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o644), os.Mkdir(filepath.Join(dir, TemporaryDir), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		child      Child
		root, want string
	}{
		{withFiles, dir, "file, tmp, file has text, wrote /tmp/small"},
		{withNone, "", ""},
	} {
		p, err := test.child.Start(test.root, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(p.Conn)
		p.Kill()
		if err != nil || string(got) != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.child.Name, got, err, test.want)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, TemporaryDir)); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestHeadKeepsTheBeginning(t *testing.T) {
	h := &head{limit: 5}
	for range 3 {
		if n, err := h.Write([]byte("abc")); n != 3 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}
	if h.String() != "abcab" {
		t.Errorf("got %q", h.String())
	}
}
