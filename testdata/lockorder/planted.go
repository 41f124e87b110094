// Package planted takes its locks against their order in some ways, and in others as it may.
package planted

import "sync"

type keyed struct{}

func (keyed) lock(int) func() { return func() {} }

type Store interface{ Write() }

type Log interface{ Note() }

type files struct{ inner sync.Mutex }

func (f *files) Write() { f.inner.Lock(); defer f.inner.Unlock() }

type house struct {
	outer keyed
	rows  sync.RWMutex
	store Store
	log   Log
	files files
}

func (h *house) right() {
	defer h.outer.lock(1)()
	h.rows.RLock()
	h.store.Write()
	h.rows.RUnlock()
	func() { h.rows.Lock(); defer h.rows.Unlock() }()
}

func (h *house) oneAfterTheOther() {
	h.files.inner.Lock()
	if h.store == nil {
		h.files.inner.Unlock()
		return
	}
	h.files.inner.Unlock()
	h.rows.Lock()
	defer h.rows.Unlock()
	h.outer.lock(1)
}

func (h *house) elsewhere() {
	h.rows.Lock()
	defer h.rows.Unlock()
	go func() { defer h.outer.lock(1)() }()
}

func (h *house) deep() { h.deeper() }

func (h *house) deeper() { defer h.outer.lock(1)() }

func (h *house) byCalls() {
	h.rows.Lock()
	defer h.rows.Unlock()
	h.deep()
}

func (h *house) under(f func()) {
	unlock := h.outer.lock(1)
	f()
	unlock()
}

func (h *house) again() { h.under(h.deep) }

type other struct{ h *house }

func (o other) Note() { o.h.rows.Lock() }

func (h *house) byInterface() {
	h.files.inner.Lock()
	h.log.Note()
	h.files.inner.Unlock()
}
