package refs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// Files keeps the refs of a repository in its packed-refs, which is replaced as a whole. What other programs
// write there is read: refs with files of their own too, which go before those of packed-refs until a change
// or a start takes them in.
type Files struct {
	dir  string
	disk Disk
	peel func(*Ref) error // sets Peeled where it is zero
}

// NewFiles returns the refs of the repository in dir. peel sets a ref's Peeled where it is zero.
func NewFiles(dir string, d Disk, peel func(*Ref) error) *Files {
	return &Files{dir: dir, disk: d, peel: peel}
}

// RemoveLocks removes what a crash in the middle of a change left in dir. No other program may write there meanwhile.
func RemoveLocks(dir string) error {
	for _, name := range []string{"packed-refs.lock", "packed-refs.new"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".lock") {
			return os.Remove(path)
		}
		return err
	})
}

// Recover is for a start: it moves refs that older versions or git's own commands gave files of their own into packed-refs.
func (f *Files) Recover() error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := f.takeIn(); err != nil {
		return err
	}
	return f.dropEmptyDirs(filepath.Join(f.dir, "refs"))
}

// Open implements Store.
func (f *Files) Open() (Snapshot, error) {
	loose, err := looseRefs(f.dir)
	if err != nil {
		return nil, err
	}
	// Only now: who takes refs in puts them there before their files go.
	packed, err := openPackedRefs(f.dir)
	if err != nil || len(loose) == 0 {
		return packed, err
	}
	defer objects.Discard(packed)
	refs, err := packed.all()
	if err != nil {
		return nil, err
	}
	for i := range loose {
		if err := f.peel(&loose[i]); err != nil {
			return nil, err
		}
	}
	return refsInMemory(merged(refs, loose), packed.peeled), nil
}

// merged returns refs with others in the place of those of the same name.
func merged(refs, others []Ref) []Ref {
	theirs := map[string]bool{}
	for _, f := range others {
		theirs[f.Name] = true
	}
	refs = append(slices.DeleteFunc(refs, func(f Ref) bool { return theirs[f.Name] }), others...)
	sortRefs(refs)
	return refs
}

// Update implements Store.
func (f *Files) Update(changes []Change, allOrNone bool) (refused []error, err error) {
	unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	refs, err := f.takeIn()
	if err != nil {
		return nil, err
	}
	table := newRefTable(refs)
	refused, any := table.applyAll(changes, allOrNone)
	if !any {
		return refused, nil
	}
	return refused, f.write(table.result())
}

// takeIn returns the refs after those with files of their own were moved into packed-refs. One that git
// is writing just now stays.
func (f *Files) takeIn() ([]Ref, error) {
	packed, err := openPackedRefs(f.dir)
	if err != nil {
		return nil, err
	}
	defer objects.Discard(packed)
	refs, err := packed.all()
	if err != nil {
		return nil, err
	}
	loose, err := looseRefs(f.dir)
	if len(loose) == 0 || err != nil {
		return refs, err
	}
	refs = merged(refs, loose)
	if err := f.write(refs); err != nil {
		return nil, err
	}
	var errs []error
	for _, ref := range loose {
		errs = append(errs, f.dropLoose(ref))
	}
	return refs, errors.Join(errs...)
}

// dropLoose removes a ref's own file if it still says what was taken in. Errors: Conflict.
func (f *Files) dropLoose(ref Ref) error {
	path := filepath.Join(f.dir, filepath.FromSlash(ref.Name))
	err := f.disk.Create(path+".lock", nil)
	if errors.Is(err, fs.ErrExist) {
		return catalog.Wrap(catalog.Conflict, err, "another process is changing %s; try again", ref.Name)
	}
	if err != nil {
		return err
	}
	now, ok, err := readLoose(path)
	if err == nil && ok && now != ref.Hash {
		err = catalog.Errorf(catalog.Conflict, "another process changed %s; try again", ref.Name)
	}
	if err == nil && ok {
		err = f.disk.Remove(path)
	}
	err = errors.Join(err, f.disk.Remove(path+".lock"))
	for dir := filepath.Dir(path); f.isNested(dir) && os.Remove(dir) == nil; dir = filepath.Dir(dir) {
	}
	return err
}

// isNested reports whether a directory below refs is none that git needs to be there.
func (f *Files) isNested(dir string) bool {
	name, err := filepath.Rel(f.dir, dir)
	return err == nil && !slices.Contains([]string{".", "refs", "refs/heads", "refs/tags"}, name)
}

// lockWait is how long another program may hold packed-refs, as git has it.
const lockWait = time.Second

// lock keeps other writers of packed-refs out, as git does. Errors: Conflict.
func (f *Files) lock() (unlock func(), err error) {
	lock := filepath.Join(f.dir, "packed-refs.lock")
	deadline := time.Now().Add(lockWait)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		err := f.disk.Create(lock, nil)
		if err == nil {
			return func() { _ = os.Remove(lock) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, catalog.Wrap(catalog.Conflict, err, "another process is changing the repository's refs; try again")
		}
		<-poll.C
	}
}

// Salvage replaces a packed-refs that can't be read by those of its lines that can, and returns how many can't. The file as it was is
// kept beside it under the name.
func (f *Files) Salvage(name string) (lost int, err error) {
	unlock, err := f.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	text, err := os.ReadFile(filepath.Join(f.dir, "packed-refs"))
	if err != nil {
		return 0, err
	}
	if err := f.disk.Create(filepath.Join(f.dir, name), func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return 0, err
	}
	var refs []Ref
	for line := range bytes.Lines(text) {
		if line[0] == '#' || line[0] == '^' { // what tags mean is found out again
			continue
		}
		if whole, ok := bytes.CutSuffix(line, []byte("\r\n")); ok { // of an editor
			line = append(slices.Clone(whole), '\n')
		}
		ref, err := parsePackedRef(line)
		if err != nil || line[len(line)-1] != '\n' || CheckName(ref.Name) != nil && !strings.HasPrefix(ref.Name, Hidden) {
			lost++
			continue
		}
		refs = append(refs, ref)
	}
	sortRefs(refs)
	return lost, f.write(slices.CompactFunc(refs, func(a, b Ref) bool { return a.Name == b.Name }))
}

// write replaces packed-refs. The caller holds its lock.
func (f *Files) write(refs []Ref) error {
	path := filepath.Join(f.dir, "packed-refs")
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // as a crash left it
	}
	err := f.disk.Create(path+".new", func(w io.Writer) error {
		_, err := io.WriteString(w, packedHeader)
		var lines []byte
		for i := 0; i < len(refs) && err == nil; i++ {
			if err = f.peel(&refs[i]); err == nil {
				lines = appendPacked(lines[:0], refs[i])
				_, err = w.Write(lines)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := f.disk.Rename(path+".new", path); err != nil {
		return err
	}
	return f.disk.SyncDir(f.dir)
}
