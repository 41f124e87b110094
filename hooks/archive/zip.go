package archive

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

const (
	zipEncrypted = 0x1 // flag of an entry
	// zipDirectoryBytes is the mean size of an entry in a zip's directory above
	// which it is not read: the whole of it is held in memory.
	zipDirectoryBytes = 256
	zipDirectoryExtra = 1 << 20
)

// zip reads a zip, which is spooled because its directory stands at its end.
func (u *unpacker) zip(ctx context.Context, in io.Reader, spoolDir string) error {
	spool, err := os.CreateTemp(spoolDir, "upload-*.zip")
	if err != nil {
		return err
	}
	defer spool.Close() //nolint:errcheck // nothing of it is kept
	// Unlinked while open, it goes whatever happens to this process.
	if err := os.Remove(spool.Name()); err != nil {
		return err
	}
	size, err := io.Copy(spool, in)
	if err != nil {
		return err
	}
	budget := &directoryReader{r: spool, left: int64(u.limits.Entries)*zipDirectoryBytes + zipDirectoryExtra}
	archive, err := zip.NewReader(budget, size)
	switch {
	case budget.over, err == nil && len(archive.File) > u.limits.Entries:
		return sourceError(catalog.TooLarge, "the archive has more than %d entries, which is the limit; exclude what the build does not need with .dockerignore", u.limits.Entries)
	case err != nil && !(errors.Is(err, zip.ErrInsecurePath) && archive != nil): // our own rules are stricter
		return damaged("", err)
	}
	budget.read = true
	for _, f := range archive.File {
		if err := u.zipEntry(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) zipEntry(ctx context.Context, f *zip.File) error {
	mode := f.Mode()
	e := archiveEntry{name: zipName(f), size: int64(f.UncompressedSize64), mode: unixMode(mode), modeless: f.ExternalAttrs>>16 == 0}
	switch {
	case f.Flags&zipEncrypted != 0:
		return refuse(f.Name, "it is encrypted")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return refuse(f.Name, "it is compressed with method %d; use deflate", f.Method)
	case mode.IsDir():
		e.kind = kindDir
		return u.add(ctx, e)
	case mode.Type() != 0 && mode.Type() != fs.ModeSymlink:
		return refuse(f.Name, "it is a device, a pipe or a socket")
	}
	content, err := f.Open()
	if err != nil {
		return damaged(f.Name, err)
	}
	defer content.Close() //nolint:errcheck // read only
	e.content = content
	if mode.Type() == fs.ModeSymlink {
		e.kind = kindLink
		target, err := bounded.Begin(content, int64(u.limits.PathBytes)+1)
		if err != nil {
			return damaged(f.Name, err)
		}
		e.target = string(target)
	}
	return u.add(ctx, e)
}

// unixMode is a mode's bits as Unix numbers them.
func unixMode(mode fs.FileMode) int64 {
	bits := int64(mode.Perm())
	for i, bit := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if mode&bit != 0 {
			bits |= 0o1000 << i
		}
	}
	return bits
}

// Systems that a zip was made on, by its entries' version.
const (
	zipFAT  = 0
	zipNTFS = 11
)

// zipName is an entry's name: in UTF-8 where it is or says so, else in the code page that DOS
// had. On DOS and Windows some programs separate directories by backslashes.
func zipName(f *zip.File) string {
	name := f.Name
	if f.NonUTF8 && !utf8.ValidString(name) {
		if decoded, err := charmap.CodePage437.NewDecoder().String(name); err == nil {
			name = decoded
		}
	}
	if made := f.CreatorVersion >> 8; (made == zipFAT || made == zipNTFS) && !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, `\`, "/")
	}
	return name
}

// directoryReader fails when more is read than a zip's directory may have.
type directoryReader struct {
	r    io.ReaderAt
	left int64
	read bool // the directory is read; no limit any more
	over bool
}

func (d *directoryReader) ReadAt(p []byte, offset int64) (int, error) {
	if !d.read {
		if d.left -= int64(len(p)); d.left < 0 {
			d.over = true
			return 0, errors.New("the zip's directory is too large")
		}
	}
	return d.r.ReadAt(p, offset)
}
