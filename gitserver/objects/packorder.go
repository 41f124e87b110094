package objects

import (
	"cmp"
	"crypto/sha1"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// position is one object of a pack: where it begins and which name it has.
type position struct {
	offset int64
	name   int32 // index into the pack index's names
}

// order returns a pack's objects by offset; it is made when first asked for.
func (p *openPack) order() []position {
	p.orderOnce.Do(func() {
		p.positions = make([]position, 0, p.index.n)
		for i := range p.index.n {
			if offset, ok := p.index.offset(i); ok {
				p.positions = append(p.positions, position{offset, int32(i)})
			}
		}
		slices.SortFunc(p.positions, func(a, b position) int { return cmp.Compare(a.offset, b.offset) })
	})
	return p.positions
}

func (p *openPack) at(offset int64) (int, error) {
	i, ok := slices.BinarySearchFunc(p.order(), offset, func(a position, offset int64) int { return cmp.Compare(a.offset, offset) })
	if !ok {
		return 0, corrupt("%s has no object at %d", p.name, offset)
	}
	return i, nil
}

func (p *openPack) hashAt(offset int64) (h plumbing.Hash, err error) {
	i, err := p.at(offset)
	if err == nil {
		copy(h[:], p.index.names[int(p.positions[i].name)*20:])
	}
	return h, err
}

// entryEnd returns where the object that begins at offset ends.
func (p *openPack) entryEnd(offset int64) (int64, error) {
	i, err := p.at(offset)
	if err != nil {
		return 0, err
	}
	if i+1 < len(p.positions) {
		return p.positions[i+1].offset, nil
	}
	return p.size - sha1.Size, nil
}
