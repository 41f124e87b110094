package objects

import (
	"strconv"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/hash"
)

// objectHasher makes the names of one object after the other.
type objectHasher struct {
	hash.Hash
	buf [32]byte
}

func newHasher() objectHasher { return objectHasher{Hash: hash.New(hash.CryptoType)} }

// begin starts an object, whose content is written then.
func (h *objectHasher) begin(typ plumbing.ObjectType, size int64) {
	head := append(append(h.buf[:0], typ.String()...), ' ')
	head = append(strconv.AppendInt(head, size, 10), 0)
	h.Reset()
	_, _ = h.Write(head) // it never fails
}

// name ends an object.
func (h *objectHasher) name() plumbing.Hash { return plumbing.Hash(h.Sum(h.buf[:0])) }
