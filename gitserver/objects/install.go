package objects

import (
	"bufio"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Install moves a resolved pack to a repository's storage. The
// objects are on disk for good when it returns, and visible to readers only
// when all of them are.
func (in *Incoming) Install(storage Storage) error {
	if in.entries.n == 0 {
		return nil
	}
	if err := in.file.Sync(); err != nil {
		return err
	}
	index := filepath.Join(in.dir, "incoming.idx")
	if err := in.writeIndex(index); err != nil {
		return err
	}
	return storage.Put("pack-"+in.checksum.String(), in.file.Name(), index)
}

// writeIndex writes a version 2 pack index.
func (in *Incoming) writeIndex(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	sum := sha1.New()
	buf := bufio.NewWriterSize(io.MultiWriter(f, sum), 64<<10)
	in.encodeIndex(buf)
	err = buf.Flush()
	if err == nil {
		_, err = f.Write(sum.Sum(nil))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// encodeIndex writes all but the index's own checksum; the writer keeps its errors.
func (in *Incoming) encodeIndex(w *bufio.Writer) {
	number := func(n uint32) { _, _ = w.Write(binary.BigEndian.AppendUint32(w.AvailableBuffer(), n)) }
	sorted := in.entries.byHash()
	_, _ = w.Write([]byte{0xff, 't', 'O', 'c', 0, 0, 0, 2})
	upTo := 0
	for first := range 256 {
		for upTo < len(sorted) && int(in.entries.at(sorted[upTo]).hash[0]) == first {
			upTo++
		}
		number(uint32(upTo))
	}
	for _, i := range sorted {
		_, _ = w.Write(in.entries.at(i).hash[:])
	}
	for _, i := range sorted {
		number(in.entries.at(i).crc)
	}
	var long []int64 // offsets that don't fit in 31 bits
	for _, i := range sorted {
		offset := in.entries.at(i).offset()
		if offset < 1<<31 {
			number(uint32(offset))
			continue
		}
		number(1<<31 | uint32(len(long)))
		long = append(long, offset)
	}
	for _, offset := range long {
		number(uint32(offset >> 32))
		number(uint32(offset))
	}
	_, _ = w.Write(in.checksum[:])
}

// Discard closes what was only read, where a failure loses nothing.
func Discard(c io.Closer) { _ = c.Close() }
