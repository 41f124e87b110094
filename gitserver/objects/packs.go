package objects

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Packs has each pack open once, with its index, however many stores read it.
type Packs struct {
	budget  *Budget
	storage func(objectsDir string) PackStorage

	mu   sync.Mutex
	open map[string]*openPack // by path, without suffix
}

// NewPacks has none open. They are files.
func NewPacks(budget *Budget) *Packs {
	return NewPacksOn(func(objectsDir string) PackStorage { return Files(objectsDir) }, budget)
}

// NewPacksOn is NewPacks on other storage than files.
func NewPacksOn(storage func(objectsDir string) PackStorage, budget *Budget) *Packs {
	return &Packs{budget: budget, storage: storage, open: map[string]*openPack{}}
}

// openPack is one pack with its index, open for reading.
type openPack struct {
	path    string // of its like in Packs.open
	storage PackStorage
	name    string // "pack-<hash>"

	info  fs.FileInfo // of its file, which may be another's by now
	once  sync.Once   // opens it
	err   error       // of that
	f     PackFile
	index *packIndex
	size  int64

	orderOnce sync.Once
	positions []position // by offset, once order was called

	users int // under Packs.mu
}

// take opens a pack of the storage of an objects directory; who takes it gives it back. Errors: fs.ErrNotExist.
func (ps *Packs) take(storage PackStorage, dir, name string) (*openPack, error) {
	path := filepath.Join(dir, name)
	now, err := storage.Stat(name)
	if err != nil {
		return nil, err
	}
	ps.mu.Lock()
	p := ps.open[path]
	if p == nil || !os.SameFile(p.info, now) { // another repository's, that was there before
		p = &openPack{path: path, storage: storage, name: name, info: now}
		ps.open[path] = p
	}
	p.users++
	ps.mu.Unlock()
	if p.once.Do(p.load); p.err != nil {
		return nil, errors.Join(p.err, ps.give(p))
	}
	return p, nil
}

// give gives back what was taken.
func (ps *Packs) give(p *openPack) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p.users--; p.users > 0 {
		return nil
	}
	if ps.open[p.path] == p {
		delete(ps.open, p.path)
	}
	if p.f == nil {
		return nil
	}
	return p.f.Close()
}

func (p *openPack) load() {
	var index []byte
	if p.f, index, p.err = p.storage.Open(p.name); p.err != nil {
		return
	}
	if p.index, p.err = parsePackIndex(p.name, index); p.err != nil {
		return
	}
	var info fs.FileInfo
	if info, p.err = p.f.Stat(); p.err == nil {
		p.size = info.Size()
	}
}
