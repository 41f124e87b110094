package refstest

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// Memory keeps the refs of any number of repositories in memory, as a database would. Of a repository's refs, its directory
// has no more than the name that they have here, and takes that along when it is moved.
type Memory struct {
	mu   sync.Mutex
	refs map[string]map[string]plumbing.Hash // by repository, then by name
}

// Store returns the refs of the repository in dir. What they name in the end, its readers find out.
func (m *Memory) Store(dir string, _ func(*refs.Ref) error) refs.Store {
	return memoryStore{m, filepath.Join(dir, "refs-in-memory")}
}

type memoryStore struct {
	memory *Memory
	file   string // says which repository's they are; there is none before the first change
}

// now returns the repository's name and refs. The caller holds the lock.
func (s memoryStore) now() (repository string, all map[string]plumbing.Hash, err error) {
	name, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	}
	return string(name), s.memory.refs[string(name)], err
}

func (s memoryStore) Open() (refs.Snapshot, error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	_, all, err := s.now()
	return memorySnapshot(all), err // they are replaced, never changed
}

func (s memoryStore) Update(changes []refs.Change, allOrNone bool) (refused []error, err error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	repository, before, err := s.now()
	if err != nil {
		return nil, err
	}
	after := maps.Clone(before)
	if after == nil {
		after = map[string]plumbing.Hash{}
	}
	refused = make([]error, len(changes))
	var first error
	for i, c := range changes {
		refused[i] = change(after, c)
		if first == nil {
			first = refused[i]
		}
	}
	if allOrNone && first != nil {
		for i := range refused {
			if refused[i] == nil {
				refused[i] = catalog.Wrap(catalog.Conflict, first, "another change was refused")
			}
		}
		return refused, nil
	}
	if repository == "" {
		repository = rand.Text()
		if err := os.WriteFile(s.file, []byte(repository), 0o600); err != nil {
			return nil, err
		}
	}
	if s.memory.refs == nil {
		s.memory.refs = map[string]map[string]plumbing.Hash{}
	}
	s.memory.refs[repository] = after
	return refused, nil
}

// change makes one change. Errors: Conflict.
func change(all map[string]plumbing.Hash, c refs.Change) error {
	now, isThere := all[c.Name]
	if now != c.Old {
		return catalog.Errorf(catalog.Conflict, "%s is at %s", c.Name, now)
	}
	if c.New.IsZero() {
		delete(all, c.Name)
		return nil
	}
	for other := range all {
		if !isThere && (strings.HasPrefix(other, c.Name+"/") || strings.HasPrefix(c.Name, other+"/")) {
			return catalog.Errorf(catalog.Conflict, "%s and %s can't both be there", c.Name, other)
		}
	}
	all[c.Name] = c.New
	return nil
}

type memorySnapshot map[string]plumbing.Hash

func (s memorySnapshot) Each(prefix string, visit func(refs.Ref) error) error {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := visit(refs.Ref{Name: name, Hash: s[name]}); err != nil {
			return err
		}
	}
	return nil
}

func (s memorySnapshot) Find(name string) (refs.Ref, bool, error) {
	h, ok := s[name]
	return refs.Ref{Name: name, Hash: h}, ok, nil
}

func (s memorySnapshot) Close() error { return nil }
