package backup_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/internal/backup"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// TestWithoutHardLinks has backups where no file gets another name, as on exFAT and on many network disks: here those of the first are immutable,
// which links are refused for in the same way.
func TestWithoutHardLinks(t *testing.T) {
	p := newPlace(t)
	p.write("fixed", "never changes")
	first, _ := p.make(5)
	f, err := os.Open(filepath.Join(first.Path(), backup.DataDir, "fixed"))
	p.must(err)
	defer f.Close() //nolint:errcheck // read only
	const immutable = 0x10
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, immutable); err != nil {
		t.Skipf("a file can't be made immutable here: %v", err)
	}
	defer func() { p.must(unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0)) }()
	second, _ := p.make(5)
	testkit.Same(t, "second", contents(t, filepath.Join(second.Path(), backup.DataDir)), map[string]string{"fixed": "never changes"})
	if second.Copied() != int64(len("never changes")) {
		t.Errorf("%d bytes were copied", second.Copied())
	}
}
