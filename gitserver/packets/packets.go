// Package packets reads the packets that git's protocols, and those of Git LFS over SSH, are made of: a length of four hex digits, then
// a line or data, or one of two marks.
//
// A Reader belongs to one connection and one goroutine. What a client says in one request is bounded (MaxRequest), what it sends as data is
// not: its reader bounds it.
package packets

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
)

// MaxRequest bounds what a client says in one request, in bytes: some 600,000
// objects that it wants or has, or 300,000 refs.
const MaxRequest = 32 << 20

// Kind is a line or one of the marks between lines.
type Kind int

// The kinds of packets.
const (
	Line  Kind = iota
	Flush      // ends a request or a part of it
	Delim      // ends the first part of a request of protocol version 2
)

// DelimPacket is Delim as it is sent.
const DelimPacket = "0001"

// Reader reads a client's packets.
type Reader struct {
	// R is where they come from, for what is no packet.
	R    *bufio.Reader
	left int // bytes that the request may still have
	line []byte
}

// NewReader returns a reader of a client's first request.
func NewReader(r io.Reader) *Reader {
	return &Reader{R: bufio.NewReaderSize(r, 32<<10), left: MaxRequest}
}

// NewRequest begins a request of the same client.
func (p *Reader) NewRequest() { p.left = MaxRequest }

// Next returns a line without its end, which is good until the next call, or a
// mark. Errors: io.EOF, when the client hung up between two; Invalid, TooLarge.
func (p *Reader) Next() (line []byte, kind Kind, err error) {
	line, kind, err = p.packet()
	if p.left -= len(line) + 4; p.left < 0 && err == nil {
		return nil, 0, catalog.Errorf(catalog.TooLarge, "the request is larger than %d MiB; request less at once", MaxRequest>>20)
	}
	return bytes.TrimSuffix(line, []byte("\n")), kind, err
}

// packet returns what is in a packet, as Next does, or a mark.
func (p *Reader) packet() (content []byte, kind Kind, err error) {
	var head [4]byte
	if _, err := io.ReadFull(p.R, head[:]); err != nil {
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
		return nil, Flush, nil
	case n == 1:
		return nil, Delim, nil
	case n < 4:
		return nil, 0, notGit(fmt.Errorf("a packet of %d bytes", n))
	}
	if int(n-4) > cap(p.line) { //nolint:gosec // 16 bits
		p.line = make([]byte, n-4)
	}
	p.line = p.line[:n-4]
	if _, err := io.ReadFull(p.R, p.line); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // it hung up within a packet
		}
		return nil, 0, notGit(err)
	}
	return p.line, Line, nil
}

// Skip reads on to the next mark, for a client that is refused: git says all it has to say before it looks
// for an answer, and dies of a connection that is closed earlier.
func (p *Reader) Skip() error {
	for {
		if _, kind, err := p.Next(); err != nil || kind != Line {
			return err
		}
	}
}

// Data returns what the packets up to the next flush hold, as one stream. An end of the connection before that flush is
// io.ErrUnexpectedEOF. Nothing else may be read before the stream has ended.
func (p *Reader) Data() io.Reader { return &data{packets: p} }

type data struct {
	packets *Reader
	rest    []byte // of the last packet
	err     error
}

func (d *data) Read(b []byte) (int, error) {
	for len(d.rest) == 0 && d.err == nil {
		var kind Kind
		d.rest, kind, d.err = d.packets.packet()
		switch {
		case errors.Is(d.err, io.EOF):
			d.err = notGit(io.ErrUnexpectedEOF)
		case d.err == nil && kind == Flush:
			d.err = io.EOF
		case d.err == nil && kind == Delim:
			d.err = notGit(errors.New("a mark within data"))
		}
	}
	if len(d.rest) == 0 {
		return 0, d.err
	}
	n := copy(b, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func notGit(err error) error {
	return catalog.Wrap(catalog.Invalid, err, "the client does not speak git's protocol")
}
