package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

const (
	maxManifest = 1 << 20
	// maxWindow bounds the memory that a zstd stream asks for.
	maxWindow = 128 << 20
)

// RestoreTar is Restore of a snapshot that is read as a tar, as a Stream is or `tar` makes of a snapshot's directory, also compressed by
// gzip or zstd. The configuration file, when there is one, is written to the file named config. It takes nothing but regular files with
// names of a snapshot, each once, and follows no links. Errors tell what of it is no backup, or that it is not whole.
func RestoreTar(ctx context.Context, r io.Reader, to, config string, place func(name string) string) (m Manifest, files int, size int64, err error) {
	content, err := uncompressed(r)
	if err != nil {
		return m, 0, 0, err
	}
	defer content.Close() //nolint:errcheck // read only
	root, err := os.OpenRoot(to)
	if err != nil {
		return m, 0, 0, err
	}
	defer root.Close() //nolint:errcheck // its files were closed
	t := &tarRestore{root: root, config: config, place: place}
	for in := tar.NewReader(content); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err = errors.Join(err, ctx.Err()); err == nil {
			err = t.entry(header, in)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends too early, and is not whole")
		}
		if err != nil {
			return m, 0, 0, err
		}
	}
	// Who writes it is let go on to the end, and a checksum there is compared.
	if _, err := io.Copy(io.Discard, content); err != nil {
		return m, 0, 0, err
	}
	if t.manifest == nil {
		return m, 0, 0, fmt.Errorf("it has no %s, so it is not a backup, or not whole", manifestFile)
	}
	if m, err = parseManifest(t.manifest); err != nil {
		return m, 0, 0, err
	}
	return m, t.files, t.bytes, syncAll(to)
}

// uncompressed tells by its first bytes how a stream is compressed.
func uncompressed(r io.Reader) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	first, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(first, []byte{0x1f, 0x8b}):
		return gzip.NewReader(in)
	case bytes.Equal(first, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(in, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(in), nil
}

// tarRestore is a tar that is being restored.
type tarRestore struct {
	root   *os.Root
	config string
	place  func(string) string

	prefix   string // the directory in the tar that everything is below, with its slash
	manifest []byte
	files    int
	bytes    int64
}

func (t *tarRestore) entry(header *tar.Header, content io.Reader) error {
	switch header.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil // directories are made with their files
	case tar.TypeReg:
	default:
		return fmt.Errorf("%q is not a regular file, as all of a backup are", header.Name)
	}
	name := path.Clean(header.Name)
	if !filepath.IsLocal(name) || strings.ContainsRune(name, '\\') {
		return fmt.Errorf("%q is no name of a file in a backup", header.Name)
	}
	if t.files == 0 && t.manifest == nil && !isInSnapshot(name) {
		if top, _, below := strings.Cut(name, "/"); below {
			t.prefix = top + "/"
		}
	}
	name, below := strings.CutPrefix(name, t.prefix)
	if !below || !isInSnapshot(name) {
		return fmt.Errorf("%q is no name of a file in a backup", header.Name)
	}
	var err error
	switch name {
	case manifestFile:
		if t.manifest != nil {
			return fmt.Errorf("it has more than one %s: restore one backup at a time", manifestFile)
		}
		t.manifest, err = bounded.ReadAll(content, maxManifest)
		return err
	case ConfigFile:
		name = t.config
	default:
		name = t.place(strings.TrimPrefix(name, DataDir+"/"))
	}
	t.files, t.bytes = t.files+1, t.bytes+header.Size
	if err := t.write(filepath.FromSlash(name), header, content); err != nil {
		return fmt.Errorf("%s: %w", header.Name, err)
	}
	return nil
}

// isInSnapshot reports whether a name with slashes is one of a snapshot's files.
func isInSnapshot(name string) bool {
	return name == manifestFile || name == ConfigFile || strings.HasPrefix(name, DataDir+"/")
}

// write makes a file, which must not be there yet.
func (t *tarRestore) write(name string, header *tar.Header, content io.Reader) error {
	if err := t.root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	out, err := t.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	if err == nil {
		err = out.Chmod(header.FileInfo().Mode().Perm())
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return t.root.Chtimes(name, header.ModTime, header.ModTime)
}

// parseManifest reads what a snapshot says of itself.
func parseManifest(text []byte) (m Manifest, err error) {
	err = json.Unmarshal(text, &m)
	if err == nil && m.Format != format {
		err = fmt.Errorf("it has format %d, and this program reads %d; use the program that made it, %s", m.Format, format, cmp.Or(m.Program, "which it does not tell"))
	}
	return m, err
}
