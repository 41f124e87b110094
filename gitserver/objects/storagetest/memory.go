package storagetest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// Memory keeps the packs of any number of repositories in memory, as a store of immutable objects would. Of a repository that is
// on disk alone, its directory has no more than the name that they have here, and takes that along when it is moved.
type Memory struct {
	mu    sync.Mutex
	puts  int
	packs map[string]map[string]objects.Pack // by repository, then by name; the files are never closed
}

// Count returns how many packs there are.
func (m *Memory) Count() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, packs := range m.packs {
		n += len(packs)
	}
	return n
}

// Storage returns that of the repository with an objects directory.
func (m *Memory) Storage(objectsDir string) objects.Storage {
	return memoryStorage{m, filepath.Join(objectsDir, "in-memory")}
}

type memoryStorage struct {
	memory *Memory
	file   string // says which repository's it is; there is none before the first pack
}

// packs calls do with the repository's packs, which it may change.
func (s memoryStorage) packs(do func(packs map[string]objects.Pack) error) error {
	repository, err := os.ReadFile(s.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return do(s.memory.packs[string(repository)])
}

func (s memoryStorage) Names() (names []string, err error) {
	err = s.packs(func(packs map[string]objects.Pack) error {
		names = slices.Collect(maps.Keys(packs))
		return nil
	})
	return names, err
}

func (s memoryStorage) Stat(name string) (objects.PackInfo, error) {
	pack, err := s.Open(name)
	if err != nil {
		return objects.PackInfo{}, err
	}
	return pack.Info, nil
}

func (s memoryStorage) Open(name string) (*objects.Pack, error) {
	var pack objects.Pack
	err := s.packs(func(packs map[string]objects.Pack) error {
		var there bool
		if pack, there = packs[name]; !there {
			return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		return nil
	})
	return &pack, err
}

func (s memoryStorage) OpenLoose(h plumbing.Hash) (io.ReadCloser, error) {
	return nil, fmt.Errorf("%s: %w", h, fs.ErrNotExist)
}

func (s memoryStorage) Loose() ([]plumbing.Hash, error) { return nil, nil }

func (s memoryStorage) Put(name, pack, index string) error {
	content, err := os.ReadFile(pack)
	if err != nil {
		return err
	}
	indexed, err := os.ReadFile(index)
	if err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	return s.packs(func(packs map[string]objects.Pack) error {
		if _, there := packs[name]; !there {
			s.memory.puts++
			info := objects.PackInfo{ID: fmt.Sprint(s.memory.puts), Size: int64(len(content)), PutAt: time.Now()}
			packs[name] = objects.Pack{Info: info, File: memoryFile{bytes.NewReader(content)}, Index: indexed}
		}
		return nil
	})
}

// begin names a repository that has no packs yet.
func (s memoryStorage) begin() error {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	if _, err := os.Stat(s.file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.memory.packs == nil {
		s.memory.packs = map[string]map[string]objects.Pack{}
	}
	repository := rand.Text()
	s.memory.packs[repository] = map[string]objects.Pack{}
	return os.WriteFile(s.file, []byte(repository), 0o600)
}

func (s memoryStorage) Remove(names ...string) error {
	return s.packs(func(packs map[string]objects.Pack) error {
		for _, name := range names {
			delete(packs, name)
		}
		return nil
	})
}

// memoryFile is what a pack consists of, to which closing does nothing.
type memoryFile struct{ content *bytes.Reader }

func (f memoryFile) ReadAt(b []byte, offset int64) (int, error) { return f.content.ReadAt(b, offset) }

func (f memoryFile) Close() error { return nil }
