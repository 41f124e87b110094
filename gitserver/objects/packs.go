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
func (p *Packs) take(storage PackStorage, dir, name string) (*openPack, error) {
	path := filepath.Join(dir, name)
	now, err := storage.Stat(name)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	open := p.open[path]
	if open == nil || !os.SameFile(open.info, now) { // another repository's, that was there before
		open = &openPack{path: path, storage: storage, name: name, info: now}
		p.open[path] = open
	}
	open.users++
	p.mu.Unlock()
	if open.once.Do(open.load); open.err != nil {
		return nil, errors.Join(open.err, p.give(open))
	}
	return open, nil
}

// give gives back what was taken.
func (p *Packs) give(open *openPack) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if open.users--; open.users > 0 {
		return nil
	}
	if p.open[open.path] == open {
		delete(p.open, open.path)
	}
	if open.f == nil {
		return nil
	}
	return open.f.Close()
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
