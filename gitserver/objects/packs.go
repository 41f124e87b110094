package objects

import (
	"errors"
	"sync"
	"time"
)

// Packs has each pack open once, with its index, however many stores read it.
type Packs struct {
	budget *Budget

	mu   sync.Mutex
	open map[string]*openPack // by PackInfo.ID
}

// NewPacks has none open.
func NewPacks(budget *Budget) *Packs { return &Packs{budget: budget, open: map[string]*openPack{}} }

// openPack is one pack with its index, open for reading.
type openPack struct {
	id      string // in Packs.open
	storage Storage
	name    string // "pack-<hash>"

	once  sync.Once // opens it
	err   error     // of that
	f     PackFile
	index *packIndex
	size  int64
	putAt time.Time

	orderOnce sync.Once
	positions []position // by offset, once order was called

	users int // under Packs.mu
}

// take opens a pack of a storage; who takes it gives it back. Errors: fs.ErrNotExist.
func (p *Packs) take(storage Storage, name string) (*openPack, error) {
	info, err := storage.Stat(name)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	open := p.open[info.ID]
	if open == nil {
		open = &openPack{id: info.ID, storage: storage, name: name}
		p.open[open.id] = open
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
	delete(p.open, open.id)
	if open.f == nil {
		return nil
	}
	return open.f.Close()
}

func (p *openPack) load() {
	var pack *Pack
	if pack, p.err = p.storage.Open(p.name); p.err != nil {
		return
	}
	p.f, p.size, p.putAt = pack.File, pack.Info.Size, pack.Info.PutAt
	p.index, p.err = parsePackIndex(p.name, pack.Index)
}
