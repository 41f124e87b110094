package backup

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
)

// Stream is a backup as a tar.
type Stream struct {
	ctx   context.Context
	w     *tar.Writer
	files int
	bytes int64
}

// NewStream writes a snapshot to w.
func NewStream(ctx context.Context, w io.Writer) *Stream {
	return &Stream{ctx: ctx, w: tar.NewWriter(w)}
}

// Scratch implements Sink.
func (s *Stream) Scratch() string { return "" }

// Add implements Sink.
func (s *Stream) Add(name, from string, _ Fixed) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	f, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX}
	if err := s.w.WriteHeader(header); err != nil {
		return err
	}
	s.files, s.bytes = s.files+1, s.bytes+info.Size()
	_, err = io.CopyN(s.w, f, info.Size()) // a log may grow meanwhile
	return err
}

// Finish implements Sink.
func (s *Stream) Finish(m Manifest) (Manifest, error) {
	m.Format, m.Files, m.Bytes = format, s.files, s.bytes
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	header := &tar.Header{Name: manifestFile, Size: int64(len(text)), Mode: 0o600, ModTime: m.Made, Format: tar.FormatPAX}
	if err := s.w.WriteHeader(header); err != nil {
		return m, err
	}
	_, err = s.w.Write(text)
	return m, errors.Join(err, s.w.Close())
}
