package objects

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/klauspost/compress/zlib"
)

// complete takes the bases that a thin pack leaves out from the store: they are put at the
// pack's end, as a pack on disk must stand by itself.
func (r *resolver) complete(ctx context.Context, store *Store) error {
	added := false
	w := newWorker(r)
	for h := range r.in.refKids { // kids takes out those that are done
		if atomic.LoadInt64(&r.pending) == 0 {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		i, err := r.in.addBase(store, h)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		added = true
		if err := w.tree(ctx, i); err != nil {
			return err
		}
	}
	if !added {
		return nil
	}
	return r.in.seal()
}

// addBase puts an object of the store at the end of the pack.
func (in *Incoming) addBase(store *Store, h plumbing.Hash) (int32, error) {
	typ, size, err := store.Header(h)
	if err != nil {
		return 0, err
	}
	if err := in.countInflated(size, typ != plumbing.BlobObject); err != nil {
		return 0, err
	}
	data, err := store.GetTyped(h, typ)
	if err != nil {
		return 0, err
	}
	if _, err := in.file.Seek(in.end, io.SeekStart); err != nil {
		return 0, err
	}
	sum := packSum{w: in.file, n: in.end}
	if _, err := sum.Write(entryHead(typ, size)); err != nil {
		return 0, err
	}
	z := zlib.NewWriter(&sum)
	_, err = z.Write(data)
	if err = errors.Join(err, z.Close()); err != nil {
		return 0, err
	}
	e := entry{hash: h, crc: sum.crc, typ: typ, kid: noEntry, next: noEntry}
	e.setOffset(in.end)
	in.end = sum.n
	in.entries.add(e)
	i := int32(in.entries.n - 1)
	return i, in.table.add(i)
}

// seal writes the number of objects and the checksum of what the pack has become.
func (in *Incoming) seal() error {
	count := binary.BigEndian.AppendUint32(nil, uint32(in.entries.n))
	if _, err := in.file.WriteAt(count, 8); err != nil {
		return err
	}
	sum := sha1.New()
	if _, err := io.Copy(sum, io.NewSectionReader(in.file, 0, in.end)); err != nil {
		return err
	}
	copy(in.checksum[:], sum.Sum(nil))
	_, err := in.file.WriteAt(in.checksum[:], in.end)
	return err
}
