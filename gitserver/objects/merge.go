package objects

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	// maxPacks is how many packs a store may have before some are merged. Every
	// reader of the store opens all of them.
	maxPacks = 50
	// maxMergedPack is the size in bytes from which a pack is left as it is.
	maxMergedPack = 256 << 20
	// maxTwice is which part of the packs' bytes may be of objects that are stored twice;
	// alwaysTwice bytes may.
	maxTwice    = 5
	alwaysTwice = 64 << 10
)

// Merged is one pack made of several. It is in quarantine until Install.
type Merged struct {
	pack *Incoming // nil: nothing of them is to stay
	from []*packFile
}

// Merge makes one pack in dir, which exists and is the caller's to remove, of the
// smaller packs when there are too many, or too much is in two of them; else it returns nil. shallow are the
// commits whose parents the store does not have. The pack is read back and
// checked like one that was pushed.
func (s *Store) Merge(ctx context.Context, dir string, shallow []plumbing.Hash) (*Merged, error) {
	from, err := s.mergeable()
	if len(from) == 0 || err != nil {
		return nil, err
	}
	return s.rewrite(ctx, dir, from, shallow, nil)
}

// rewrite makes one pack in dir of the objects of others that are to be kept; nil: all. shallow is as with Merge.
func (s *Store) rewrite(ctx context.Context, dir string, from []*packFile, shallow []plumbing.Hash, keep func(plumbing.Hash) bool) (*Merged, error) {
	m, err := s.newMergeWriter(ctx, from, keep)
	if err != nil {
		return nil, err
	}
	if len(m.objects) == 0 {
		return &Merged{nil, from}, nil
	}
	path := filepath.Join(dir, "merged.pack")
	if err := m.write(ctx, path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in, err := Receive(bufio.NewReader(f), dir, Limits{}, shallow)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := in.Resolve(ctx, s); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	for _, h := range m.out.names.All() {
		if in.table.find(h) == nil {
			return nil, errors.Join(corrupt("%s was lost while merging packs", h), in.Close())
		}
	}
	return &Merged{in, from}, nil
}

// mergeable picks what to merge: all but the largest packs when much is stored twice. When there are just
// many, it picks the smallest packs such that each of those left is at least
// as large as all smaller ones together: every object is then copied a few times
// in its life, however many packs arrive.
func (s *Store) mergeable() ([]*packFile, error) {
	s.mu.RLock()
	packs := slices.Clone(s.packs)
	s.mu.RUnlock()
	packs = slices.DeleteFunc(packs, func(p *packFile) bool { return p.size > maxMergedPack })
	if len(packs) < 2 {
		return nil, nil
	}
	slices.SortFunc(packs, func(a, b *packFile) int { return cmp.Compare(a.size, b.size) })
	total := int64(0)
	for _, p := range packs {
		total += p.size
	}
	twice, err := storedTwice(packs)
	switch {
	case err != nil:
		return nil, err
	case twice > max(alwaysTwice, total/maxTwice):
		return packs, nil
	case len(packs) <= maxPacks:
		return nil, nil
	}
	sum, end := packs[0].size, 1
	for i, p := range packs[1:] {
		if p.size < sum {
			end = i + 2
		}
		sum += p.size
	}
	if end == 1 {
		return nil, nil
	}
	return packs[:end], nil
}

// storedTwice returns how many bytes of packs, the largest of which stands last, are of
// objects that another of them has, too: each push of a delta brings its base along.
func storedTwice(packs []*packFile) (sum int64, err error) {
	last := len(packs) - 1
	var seen Hashes
	for _, p := range packs[:last] {
		for i := range p.index.n {
			h := plumbing.Hash(p.index.names[i*20:])
			_, found := packs[last].index.find(h)
			if _, added := seen.Add(h); added && !found {
				continue
			}
			offset, _ := p.index.offset(i)
			end, err := p.entryEnd(offset)
			if err != nil {
				return 0, err
			}
			sum += end - offset
		}
	}
	return sum, nil
}

// Close closes the pack's file.
func (m *Merged) Close() error {
	if m.pack == nil {
		return nil
	}
	return m.pack.Close()
}

// Name returns that of the merged pack, "" where there is none.
func (m *Merged) Name() string {
	if m.pack == nil {
		return ""
	}
	return "pack-" + m.pack.checksum.String()
}

// Install puts the merged pack in the store's storage, beside those it was made of.
func (m *Merged) Install(storage Storage) error {
	if m.pack == nil {
		return nil
	}
	return m.pack.Install(storage)
}

// Replaced returns the packs that it was made of, which are to be removed once it is installed.
func (m *Merged) Replaced() (names []string) {
	for _, p := range m.from {
		if p.name != m.Name() {
			names = append(names, p.name)
		}
	}
	return names
}

// Replace puts the merged pack in the store's storage and removes those it
// was made of. Stores that are open go on with what they have open; one that
// is being opened finds the new pack when it misses something. No packs may be
// installed meanwhile.
func (m *Merged) Replace(storage Storage) error {
	if err := m.Install(storage); err != nil {
		return err
	}
	return storage.Remove(m.Replaced()...)
}
