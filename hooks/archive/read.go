package archive

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxZstdWindow is what a decoder of one upload may hold in memory, in bytes;
// the zstd tool needs more only with --long or --ultra.
const maxZstdWindow = 8 << 20

// sentBytes counts an upload's bytes on their way in, and keeps the error that
// ended them: decoders garble it.
type sentBytes struct {
	r     io.Reader
	limit int64
	n     int64
	err   error // other than io.EOF
}

func (s *sentBytes) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if s.n += int64(n); s.n > s.limit {
		n, err = 0, sourceError(catalog.TooLarge, "the archive is larger than %s, which is the limit; exclude what the build does not need with .dockerignore", mebibytes(s.limit))
	}
	if err != nil && err != io.EOF { //nolint:errorlint // a wrapped one ended too early
		s.err = err
	}
	return n, err
}

// meter counts what is read, stops where count says so, and keeps its error.
type meter struct {
	r     io.Reader
	count func(n int64) error
	err   error // other than io.EOF
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if over := m.count(int64(n)); over != nil {
		n, err = 0, over
	}
	if err != nil && err != io.EOF { //nolint:errorlint // a wrapped one ended too early
		m.err = err
	}
	return n, err
}

// Unpack reads an archive to its end and gives its files to a tree. note says what is not kept of it, if anything.
// A zip is kept in spoolDir while it is read. Errors: Invalid, TooLarge.
func Unpack(ctx context.Context, source io.Reader, to catalog.TreeWriter, limits Limits, spoolDir string) (note string, err error) {
	sent := &sentBytes{r: source, limit: limits.Bytes}
	u := newUnpacker(to, limits.WithDefaults(), sent)
	err = u.read(ctx, spoolDir)
	switch {
	case sent.err != nil && catalog.CodeOf(sent.err) != catalog.Internal:
		return "", sent.err
	case sent.err != nil:
		return "", sourceErrorOf(sent.err, "the upload is incomplete; send it again")
	case err != nil:
		return "", err
	case u.files == 0:
		return "", sourceError(catalog.Invalid, "the archive contains no files; a project needs at least a Dockerfile")
	}
	return u.lostModes(), nil
}

func (u *unpacker) read(ctx context.Context, spoolDir string) error {
	in := bufio.NewReaderSize(u.sent, 64<<10)
	head, err := in.Peek(tarBlock)
	if err != nil && err != io.EOF {
		return damaged("", err)
	}
	switch format := sniff(head); format {
	case formatNone:
		return sourceError(catalog.Invalid, "the archive is empty; send the project as a zip, tar, tar.gz or tar.zst")
	case formatZip:
		return u.zip(ctx, in, spoolDir)
	case formatTar:
		return u.tar(ctx, in)
	case formatGzip:
		plain, err := newGzipMembers(in)
		if err != nil {
			return damaged("", err)
		}
		return u.tar(ctx, plain)
	case formatZstd:
		plain, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return damaged("", err)
		}
		defer plain.Close()
		err = u.tar(ctx, plain)
		if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return sourceErrorOf(err, "the archive needs more than %s of memory to unpack; compress it without --long or --ultra", mebibytes(maxZstdWindow))
		}
		return err
	default:
		what := "the upload is not an archive"
		if format != formatUnknown {
			what = "a " + string(format) + " archive is not supported"
		}
		return sourceError(catalog.Invalid, "%s; send the project as a zip, tar, tar.gz or tar.zst", what)
	}
}

// gzipMembers reads gzips that follow one another, and zeros behind them, as gzip itself does:
// tapes and some transfers pad by them.
type gzipMembers struct {
	*gzip.Reader
	in *bufio.Reader
}

func newGzipMembers(in *bufio.Reader) (*gzipMembers, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipMembers{z, in}, nil
}

func (g *gzipMembers) Read(b []byte) (int, error) {
	n, err := g.Reader.Read(b)
	if err != io.EOF { //nolint:errorlint // a wrapped one ended too early
		return n, err
	}
	for {
		next, err := g.in.Peek(1)
		if err != nil {
			return n, err
		}
		if next[0] != 0 {
			break
		}
		_, _ = g.in.Discard(1)
	}
	if err := g.Reset(g.in); err != nil {
		return n, err
	}
	g.Multistream(false)
	return n, nil
}

// format is the kind of an archive.
type format string

const (
	formatNone    format = ""
	formatUnknown format = "unknown"
	formatZip     format = "zip"
	formatTar     format = "tar"
	formatGzip    format = "gzip"
	formatZstd    format = "zstd"
)

// magics are the beginnings of archives; those we can't read are there for the
// error.
var magics = []struct {
	begin  string
	format format
}{
	{"PK\x03\x04", formatZip}, {"PK\x05\x06", formatZip},
	{"\x1f\x8b", formatGzip},
	{"\x28\xb5\x2f\xfd", formatZstd},
	{"PK\x07\x08", "split zip"}, {"7z\xbc\xaf\x27\x1c", "7z"}, {"Rar!\x1a\x07", "rar"}, {"BZh", "bzip2"}, {"\xfd7zXZ\x00", "xz"}, {"\x04\x22\x4d\x18", "lz4"}, {"\x1f\x9d", "compress"},
}

// tarBlock is the unit tar is made of, in bytes.
const tarBlock = 512

// sniff tells an archive by its first bytes, of which it wants 512.
func sniff(head []byte) format {
	if len(head) == 0 {
		return formatNone
	}
	if isTar(head) {
		return formatTar
	}
	for _, m := range magics {
		if strings.HasPrefix(string(head), m.begin) {
			return m.format
		}
	}
	return formatUnknown
}

// isTar reports whether a block is a tar header, or the zeros that end an empty tar.
func isTar(block []byte) bool {
	if len(block) < tarBlock {
		return false
	}
	const sumAt, sumEnd = 148, 156
	var unsigned, signed int64
	for i, c := range block[:tarBlock] {
		if i >= sumAt && i < sumEnd {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c)) // as old tars summed
	}
	if unsigned == (sumEnd-sumAt)*' ' {
		return true // all zeros
	}
	text := strings.Trim(string(block[sumAt:sumEnd]), " \x00")
	sum, err := strconv.ParseInt(text, 8, 64)
	return err == nil && (sum == unsigned || sum == signed)
}

func mebibytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
}

// quote shows a name whatever bytes it has.
func quote(name string) string { return strconv.Quote(name) }
