package objects

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io/fs"
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
)

// Merged is one pack made of several. It is in quarantine until Replace.
type Merged struct {
	*Incoming
	from []*packFile
}

// Merge makes one pack in dir, which exists and is the caller's to remove, of the
// smaller packs when there are too many; else it returns nil. shallow are the
// commits whose parents the store does not have. The pack is read back and
// checked like one that was pushed.
func (s *Store) Merge(ctx context.Context, dir string, shallow []plumbing.Hash) (*Merged, error) {
	from := s.mergeable()
	if len(from) == 0 {
		return nil, nil
	}
	var hashes []plumbing.Hash
	seen := map[plumbing.Hash]bool{}
	for _, p := range from {
		for i := range p.index.n {
			var h plumbing.Hash
			copy(h[:], p.index.names[i*20:])
			if !seen[h] {
				seen[h] = true
				hashes = append(hashes, h)
			}
		}
	}
	path := filepath.Join(dir, "merged.pack")
	if err := s.writePackFile(path, hashes); err != nil {
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
	for _, h := range hashes {
		if in.table.find(h) == nil {
			return nil, errors.Join(corrupt("%s got lost in merging packs", h), in.Close())
		}
	}
	return &Merged{in, from}, nil
}

// mergeable picks the smallest packs such that each of those left is at least
// as large as all smaller ones together: every object is then copied a few times
// in its life, however many packs arrive.
func (s *Store) mergeable() []*packFile {
	s.mu.RLock()
	packs := slices.Clone(s.packs)
	s.mu.RUnlock()
	packs = slices.DeleteFunc(packs, func(p *packFile) bool { return p.size > maxMergedPack })
	if len(packs) <= maxPacks {
		return nil
	}
	slices.SortFunc(packs, func(a, b *packFile) int { return cmp.Compare(a.size, b.size) })
	sum, end := packs[0].size, 1
	for i, p := range packs[1:] {
		if p.size < sum {
			end = i + 2
		}
		sum += p.size
	}
	if end == 1 {
		return nil
	}
	return packs[:end]
}

func (s *Store) writePackFile(path string, hashes []plumbing.Hash) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(s.WritePack(f, hashes), f.Close())
}

// Replace puts the merged pack into the store's directory and removes those it
// was made of. Stores that are open go on with what they have open; one that
// is being opened finds the new pack when it misses something. Nobody may install
// packs meanwhile.
func (m *Merged) Replace(objectsDir string) error {
	if err := m.Install(objectsDir); err != nil {
		return err
	}
	for _, p := range m.from {
		if p.name == "pack-"+m.checksum.String() {
			continue
		}
		// Readers look for indexes, so the index goes first.
		for _, suffix := range []string{".idx", ".pack"} {
			if err := os.Remove(filepath.Join(objectsDir, "pack", p.name+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return SyncDir(filepath.Join(objectsDir, "pack"))
}
