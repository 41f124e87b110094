package imagefile

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// maxText bounds a manifest, a configuration and the archive's own lists, in bytes.
const maxText = 4 << 20

// maxTexts bounds all of those together, as often as they are listed.
const maxTexts = 128 << 20

// open gives the archive its files.
func (a *Archive) open(name string, stdin io.Reader) error {
	if name == "-" {
		return a.spool("standard input", stdin)
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if info.IsDir() {
		a.dir, a.files = name, regularFiles{os.DirFS(name)}
		return file.Close()
	}
	begin, _ := bounded.Begin(file, 6)
	if !info.Mode().IsRegular() || compressionOf(begin) != "" {
		return errors.Join(a.spool(name, io.MultiReader(bytes.NewReader(begin), file)), file.Close())
	}
	a.file = file
	return a.index(name)
}

// spool takes in a stream, decompressed, for its files are read in another order than they come in.
func (a *Archive) spool(name string, from io.Reader) error {
	plain, err := Decompress(from)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if a.file, err = a.create(); err != nil {
		return err
	}
	if _, err := io.Copy(a.file, plain); err != nil {
		return faultOf(name, err)
	}
	return a.index(name)
}

// faultOf is the error of what could not be read: its own, unless the machine has one, such as a full disk.
func faultOf(name string, err error) error {
	if errors.As(err, new(*fs.PathError)) {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	return fmt.Errorf("%s is damaged or incomplete: %w", name, err)
}

// compressionOf tells a compression by a stream's first bytes; empty: none.
func compressionOf(begin []byte) string {
	for _, known := range []struct{ name, begin string }{{"gzip", "\x1f\x8b"}, {"zstd", "\x28\xb5\x2f\xfd"}, {"bzip2", "BZh"}, {"xz", "\xfd7zXZ\x00"}} {
		if strings.HasPrefix(string(begin), known.begin) {
			return known.name
		}
	}
	return ""
}

// maxWindow is what a decoder of zstd may hold in memory, in bytes: all that zstd makes without being told otherwise needs less.
const maxWindow = 128 << 20

// Decompress reads what a stream holds that may be compressed, by gzip, zstd or bzip2.
func Decompress(from io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(from, 1<<16)
	begin, err := buffered.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch compressionOf(begin) {
	case "gzip":
		return gzip.NewReader(buffered)
	case "zstd":
		return zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	case "bzip2":
		return bzip2.NewReader(buffered), nil
	case "xz":
		return nil, errors.New("it is compressed by xz, which is not supported; decompress it first, with xz -d")
	}
	return buffered, nil
}

// regularFiles are the files of a directory: opening a pipe would wait, and a device has no end.
type regularFiles struct{ dir fs.FS }

// Open implements fs.FS.
func (r regularFiles) Open(name string) (fs.File, error) {
	info, err := fs.Stat(r.dir, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("it is no regular file")}
	}
	return r.dir.Open(name)
}

// tarFiles are the files of a tar that can be read at any place.
type tarFiles map[string]tarFile

type tarFile struct {
	from   io.ReaderAt
	begin  int64
	header *tar.Header
}

// index finds the files of the tar.
func (a *Archive) index(name string) error {
	if _, err := a.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	files := tarFiles{}
	for entries := tar.NewReader(a.file); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if len(files) == 0 {
				return fmt.Errorf("%s is not a tar archive", name)
			}
			return faultOf(name, err)
		}
		begin, err := a.file.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		files[path.Clean(header.Name)] = tarFile{a.file, begin, header}
	}
	a.files = files
	return nil
}

// maxLinks is how many links may lead to a file. `docker save` wrote one for a layer that comes twice.
const maxLinks = 10

// Open implements fs.FS. Links are followed inside the archive.
func (t tarFiles) Open(name string) (fs.File, error) {
	at := name
	for range maxLinks {
		f, ok := t[at]
		switch {
		case !ok:
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		case f.header.Typeflag == tar.TypeSymlink:
			at = path.Join(path.Dir(at), f.header.Linkname)
		case f.header.Typeflag == tar.TypeLink:
			at = path.Clean(f.header.Linkname)
		default:
			return openTarFile{io.NewSectionReader(f.from, f.begin, f.header.Size), f.header}, nil
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("too many links")}
}

type openTarFile struct {
	content *io.SectionReader
	header  *tar.Header
}

func (f openTarFile) Stat() (fs.FileInfo, error) { return f.header.FileInfo(), nil }
func (f openTarFile) Read(b []byte) (int, error) { return f.content.Read(b) }
func (f openTarFile) Close() error               { return nil }

// text reads a small file.
func (a *Archive) text(name string) (text []byte, err error) {
	file, err := a.files.Open(name)
	if err != nil {
		return nil, missing(name, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if text, err = bounded.ReadAll(file, maxText); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if a.texts += len(text); a.texts > maxTexts {
		return nil, fmt.Errorf("%s: the manifests and configurations that the archive lists are more than %d bytes", name, maxTexts)
	}
	return text, nil
}

// decode reads a small file of JSON.
func (a *Archive) decode(name string, into any) error {
	text, err := a.text(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the archive is damaged: %s: %w", name, err)
	}
	return nil
}

// missingError is that of a file that should be in the archive.
type missingError struct{ name string }

func (e *missingError) Error() string {
	return fmt.Sprintf("the archive is damaged or incomplete: it contains no %s", e.name)
}

func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return &missingError{name}
	}
	return fmt.Errorf("%s: %w", name, err)
}
