package archive

import (
	"archive/tar"
	"context"
	"errors"
	"io"

	"github.com/fandoghpaas/fandogh/catalog"
)

// tar reads a tar's entries as they come.
func (u *unpacker) tar(ctx context.Context, in io.Reader) error {
	var streamed int64
	end := &tailReader{r: in}
	// Counted apart from the files: a file with holes is longer than its bytes.
	stream := &meter{r: end, count: func(n int64) error {
		streamed += n
		return u.check(streamed)
	}}
	entries := tar.NewReader(stream)
	last := ""
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return u.tarEnd(stream, end, last)
		}
		if err != nil && !(errors.Is(err, tar.ErrInsecurePath) && header != nil) { // our own rules are stricter
			return damaged(last, err)
		}
		last = header.Name
		if err := u.tarEntry(ctx, header, entries); err != nil {
			return err
		}
	}
}

func (u *unpacker) tarEntry(ctx context.Context, header *tar.Header, content io.Reader) error {
	e := archiveEntry{name: header.Name, size: header.Size, target: header.Linkname, mode: header.Mode & 0o7777, content: content}
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
	case tar.TypeDir:
		e.kind = kindDir
	case tar.TypeSymlink:
		e.kind = kindLink
	case tar.TypeLink:
		e.kind = kindHardLink
	case tar.TypeXGlobalHeader: // a comment of git archive
		return nil
	case tar.TypeChar, tar.TypeBlock:
		return refuse(header.Name, "it is a device")
	case tar.TypeFifo:
		return refuse(header.Name, "it is a named pipe")
	default:
		return refuse(header.Name, "it is of type %q, which is not a file, directory or link", header.Typeflag)
	}
	return u.add(ctx, e)
}

// tarEnd reads what stands behind the last entry: zeros, at least one block of
// them, or else the archive may have been cut off between two entries.
func (u *unpacker) tarEnd(stream *meter, end *tailReader, last string) error {
	end.onlyZeros = true
	if _, err := io.Copy(io.Discard, stream); err != nil {
		return damaged(last, err)
	}
	if end.zeros < tarBlock {
		return damaged(last, io.ErrUnexpectedEOF)
	}
	return nil
}

// tailReader knows how many zeros it read last.
type tailReader struct {
	r         io.Reader
	zeros     int64
	onlyZeros bool // anything else is an error
}

func (t *tailReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	i := n
	for i > 0 && p[i-1] == 0 {
		i--
	}
	switch {
	case i == 0:
		t.zeros += int64(n)
	case t.onlyZeros:
		return 0, sourceError(catalog.Invalid, "the archive has data after its end; send one tar, not several")
	default:
		t.zeros = int64(n - i)
	}
	return n, err
}
