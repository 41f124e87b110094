package protocol

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxRequest bounds what a client says in one request, in bytes: some 600,000
// objects that it wants or has, or 300,000 refs.
const maxRequest = 32 << 20

// packetKind is a line or one of the marks between lines.
type packetKind int

const (
	packetLine  packetKind = iota
	packetFlush            // ends a request or a part of it
	packetDelim            // ends the first part of a request of protocol version 2
)

const delimPacket = "0001"

// packetReader reads a client's lines.
type packetReader struct {
	r    *bufio.Reader
	left int // bytes that the request may still have
	line []byte
}

func newPacketReader(r io.Reader) *packetReader {
	return &packetReader{r: bufio.NewReaderSize(r, 32<<10), left: maxRequest}
}

// next returns a line without its end, which is good until the next call, or a
// mark. Errors: io.EOF, when the client hung up between two; Invalid, TooLarge.
func (p *packetReader) next() (line []byte, kind packetKind, err error) {
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, 0, fmt.Errorf("the client closed the connection: %w", io.EOF)
		}
		return nil, 0, notGit(err)
	}
	n, err := strconv.ParseUint(string(head[:]), 16, 16)
	switch {
	case err != nil:
		return nil, 0, notGit(err)
	case n == 0:
		return nil, packetFlush, nil
	case n == 1:
		return nil, packetDelim, nil
	case n < 4:
		return nil, 0, notGit(fmt.Errorf("a packet of %d bytes", n))
	}
	if p.left -= int(n); p.left < 0 { //nolint:gosec // 16 bits
		return nil, 0, catalog.Errorf(catalog.TooLarge, "the request is larger than %d MiB; request less at once", maxRequest>>20)
	}
	if int(n-4) > cap(p.line) { //nolint:gosec // 16 bits
		p.line = make([]byte, n-4)
	}
	p.line = p.line[:n-4]
	if _, err := io.ReadFull(p.r, p.line); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // it hung up within a packet
		}
		return nil, 0, notGit(err)
	}
	return bytes.TrimSuffix(p.line, []byte("\n")), packetLine, nil
}

// skip reads on to the next mark, for a client that is refused: git says all it has to say before it looks
// for an answer, and dies of a connection that is closed earlier.
func (p *packetReader) skip() error {
	for {
		if _, kind, err := p.next(); err != nil || kind != packetLine {
			return err
		}
	}
}

func notGit(err error) error {
	return catalog.Wrap(catalog.Invalid, err, "the client does not speak git's protocol")
}

// answering flushes what was written before it waits for more.
type answering struct {
	io.Reader
	w *bufio.Writer
}

func (a answering) Read(b []byte) (int, error) {
	if err := a.w.Flush(); err != nil {
		return 0, err
	}
	return a.Reader.Read(b)
}
