package imagefiles

import (
	"cmp"
	"context"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/imagediff"
)

const (
	shownFiles   = 2000 // of a directory
	shownChanges = 500  // of two images
)

// tree is the files of an image, or of one layer, in the order of compareNames.
type tree struct{ entries []entry }

type entry struct {
	*imagediff.File
	layer int
}

const entryCost = 64 // bytes, beside the file's

// cost is about what a tree takes in memory, in bytes, beside its layers, which it holds.
func (t *tree) cost() int { return entryCost * len(t.entries) }

// compareNames orders names such that all that is in a directory comes right behind it: a slash comes before any other byte.
func compareNames(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// merger makes a tree of layers, the highest first: what they say is gone, or have in a file's place, hides what is below.
type merger struct {
	entries []entry
	seen    map[string]imagediff.Kind // of layers above and of this one, by name
	gone    map[string]imagediff.Kind // Gone or AllGone, of layers above
}

// merge puts layers on one another, the lowest first. Errors: ctx's own.
func merge(ctx context.Context, layers [][]imagediff.File) (*tree, error) {
	m := merger{seen: map[string]imagediff.Kind{}, gone: map[string]imagediff.Kind{}}
	for at := len(layers) - 1; at >= 0; at-- {
		if err := m.add(ctx, layers[at], at); err != nil {
			return nil, err
		}
	}
	return newTree(m.entries), nil
}

func newTree(entries []entry) *tree {
	slices.SortFunc(entries, func(a, b entry) int { return compareNames(a.Name, b.Name) })
	return &tree{entries}
}

// add takes in a layer below those before. Of what it has twice, the last counts.
func (m *merger) add(ctx context.Context, files []imagediff.File, at int) error {
	above := len(m.entries)
	own := map[string]bool{}
	for i := len(files) - 1; i >= 0; i-- {
		f := &files[i]
		if i%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if f.Kind == imagediff.Gone || f.Kind == imagediff.AllGone || own[f.Name] || f.Name == "/" {
			continue
		}
		own[f.Name] = true
		if !m.hides(f.Name) {
			m.entries = append(m.entries, entry{f, at})
		}
	}
	for _, e := range m.entries[above:] {
		m.seen[e.Name] = e.Kind
	}
	for i := range files {
		if f := &files[i]; f.Kind == imagediff.Gone || f.Kind == imagediff.AllGone && m.gone[f.Name] == "" {
			m.gone[f.Name] = f.Kind
		}
	}
	return nil
}

// hides reports whether layers above leave nothing of a name.
func (m *merger) hides(name string) bool {
	if _, ok := m.seen[name]; ok || m.gone[name] == imagediff.Gone {
		return true
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if kind, ok := m.seen[dir]; ok && kind != imagediff.Directory || m.gone[dir] != "" {
			return true
		}
		if dir == "/" {
			return false
		}
	}
}

// below returns the entries below a directory, "/" or a name without a slash at its end. Its own is not among them.
func (t *tree) below(dir string) []entry {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	from := sort.Search(len(t.entries), func(i int) bool { return compareNames(t.entries[i].Name, prefix) >= 0 })
	to := from + sort.Search(len(t.entries)-from, func(i int) bool { return !strings.HasPrefix(t.entries[from+i].Name, prefix) })
	return t.entries[from:to]
}

// list returns what is in a directory. However much that is, it holds no more than it returns. Errors: NotFound.
func (t *tree) list(dir string) (catalog.FileList, error) {
	below := t.below(dir)
	of := catalog.ImageFile{Name: dir, Kind: catalog.FileDirectory, Layer: -1}
	at, found := sort.Find(len(t.entries), func(i int) int { return compareNames(dir, t.entries[i].Name) })
	if found {
		of = t.entries[at].shown()
	}
	if !found && len(below) == 0 && dir != "/" || of.Kind != catalog.FileDirectory {
		return catalog.FileList{}, catalog.Errorf(catalog.NotFound, "there is no directory %s", dir)
	}
	var directories, others listed
	skip := len(strings.TrimSuffix(dir, "/")) + 1
	for len(below) > 0 {
		var one catalog.ImageFile
		one, below = nextIn(below, skip)
		if one.Kind == catalog.FileDirectory {
			of.Size, of.Files = of.Size+one.Size, of.Files+one.Files
			directories.add(one)
		} else {
			of.Size, of.Files = of.Size+one.Size, of.Files+one.Files+1
			others.add(one)
		}
	}
	files := append(directories.files, others.files...)
	return catalog.FileList{Dir: of, Files: files[:min(len(files), shownFiles)], More: directories.count+others.count > shownFiles}, nil
}

// listed is the first of some files, and how many there are.
type listed struct {
	files []catalog.ImageFile
	count int
}

func (l *listed) add(f catalog.ImageFile) {
	if l.count++; len(l.files) < shownFiles {
		l.files = append(l.files, f)
	}
}

// nextIn returns the first file of a directory, whose name and a slash have so many bytes, with what is below it, and the entries behind that.
func nextIn(below []entry, skip int) (one catalog.ImageFile, rest []entry) {
	first, _, deeper := strings.Cut(below[0].Name[skip:], "/")
	name := below[0].Name[:skip+len(first)]
	one = catalog.ImageFile{Name: name, Kind: catalog.FileDirectory, Layer: -1}
	rest = below
	if !deeper {
		one, rest = below[0].shown(), below[1:]
	}
	for len(rest) > 0 && len(rest[0].Name) > len(name) && rest[0].Name[len(name)] == '/' && strings.HasPrefix(rest[0].Name, name) {
		if e := rest[0]; e.Kind != imagediff.Directory {
			one.Size += e.Size
			one.Files++
		}
		rest = rest[1:]
	}
	return one, rest
}

func (e entry) shown() catalog.ImageFile {
	kind := catalog.FileKind(e.Kind)
	if e.Kind == imagediff.AllGone {
		kind = catalog.FileGone
	}
	return catalog.ImageFile{Name: e.Name, Kind: kind, Mode: e.Mode, Size: e.Size, Link: e.Link, UID: e.UID, GID: e.GID, Layer: e.layer}
}

// ListFiles implements catalog.ImageFiles.
func (f *Files) ListFiles(ctx context.Context, ref catalog.ImageRef, digest, platform string, at int, dir string) (catalog.FileList, error) {
	image, platforms, err := f.image(ctx, ref, digest, platform)
	if err != nil {
		return catalog.FileList{}, err
	}
	var of *tree
	switch {
	case at == catalog.AllLayers:
		of, err = f.whole(ctx, ref, image)
	case at < 0 || at >= len(image.Layers):
		err = catalog.Errorf(catalog.NotFound, "the image has %d layers", len(image.Layers))
	default:
		of, err = f.alone(ctx, ref, image.Layers[at], at)
	}
	if err != nil {
		return catalog.FileList{}, err
	}
	list, err := of.list(path.Clean("/" + dir))
	list.Platform, list.Platforms, list.Layers = image.Platform, platforms, len(image.Layers)
	return list, err
}

// ofLayer is a layer by itself, with what it says is gone.
func ofLayer(files []imagediff.File, at int) *tree {
	last := map[string]int{}
	for i, f := range files {
		if f.Kind != imagediff.AllGone {
			last[f.Name] = i
		}
	}
	var entries []entry
	for i := range files {
		f := &files[i]
		if f.Kind == imagediff.AllGone {
			all := *f
			all.Name, f = strings.TrimSuffix(f.Name, "/")+"/*", &all
		} else if last[f.Name] != i || f.Name == "/" {
			continue
		}
		entries = append(entries, entry{f, at})
	}
	return newTree(entries)
}

// CompareFiles implements catalog.ImageFiles.
func (f *Files) CompareFiles(ctx context.Context, ref catalog.ImageRef, was, is, platform string) (catalog.FileComparison, error) {
	after, _, err := f.image(ctx, ref, is, platform)
	if err != nil {
		return catalog.FileComparison{}, err
	}
	before, _, err := f.image(ctx, ref, was, after.Platform)
	if err != nil {
		return catalog.FileComparison{}, err
	}
	old, err := f.whole(ctx, ref, before)
	if err != nil {
		return catalog.FileComparison{}, err
	}
	made, err := f.whole(ctx, ref, after)
	if err != nil {
		return catalog.FileComparison{}, err
	}
	c := compare(old.entries, made.entries)
	c.Platform = after.Platform
	return c, nil
}

// compare goes through two trees side by side.
func compare(was, is []entry) (c catalog.FileComparison) {
	for len(was) > 0 || len(is) > 0 {
		var order int
		switch {
		case len(was) == 0:
			order = 1
		case len(is) == 0:
			order = -1
		default:
			order = compareNames(was[0].Name, is[0].Name)
		}
		var change catalog.FileChange
		if order <= 0 {
			change.Name, change.Was = was[0].Name, shownAt(was[0])
		}
		if order >= 0 {
			change.Name, change.Is = is[0].Name, shownAt(is[0])
		}
		if order != 0 || !same(was[0].File, is[0].File) {
			add(&c, change)
		}
		if order <= 0 {
			was = was[1:]
		}
		if order >= 0 {
			is = is[1:]
		}
	}
	keepLargest(&c)
	return c
}

func shownAt(e entry) *catalog.ImageFile {
	one := e.shown()
	return &one
}

// same compares all but times: a file that was made again is the same.
func same(a, b *imagediff.File) bool {
	return a == b || *a == *b
}

func add(c *catalog.FileComparison, change catalog.FileChange) {
	switch {
	case change.Was == nil:
		c.Added++
	case change.Is == nil:
		c.Removed++
	default:
		c.Changed++
	}
	c.Bytes += change.Bytes()
	if c.Changes = append(c.Changes, change); len(c.Changes) >= 4*shownChanges {
		keepLargest(c)
	}
}

// keepLargest keeps as many changes as are told.
func keepLargest(c *catalog.FileComparison) {
	slices.SortStableFunc(c.Changes, func(a, b catalog.FileChange) int {
		return cmp.Or(cmp.Compare(grown(b), grown(a)), cmp.Compare(a.Name, b.Name))
	})
	if len(c.Changes) > shownChanges {
		c.Changes, c.More = c.Changes[:shownChanges], true
	}
}

// grown is by how many bytes a file changed, either way.
func grown(c catalog.FileChange) int64 { return max(c.Bytes(), -c.Bytes()) }
