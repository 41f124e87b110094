package buildkit

import (
	"context"
	"errors"
	"hash/fnv"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tonistiigi/fsutil"
)

// How COPYs are split. The numbers decide about images' digests: another release
// that changes them gives the same commit another one. Sizes are bytes.
const (
	splitFrom = 16 << 20 // what a COPY must weigh to be split
	partSize  = 4 << 20  // what a part should weigh; a directory up to that goes to one as a whole
	fileCost  = 8 << 10  // what making a file costs, however small
	mostParts = 16
)

// division is what a directory is divided into. Its paths are slash paths below
// that directory.
type division struct {
	parts [][]string // files and directories
	dirs  []string   // the directories at the top
}

// weighed is an entry of a tree, with what it and all below it weighs.
type weighed struct {
	name   string
	isDir  bool
	weight int64
}

// divide distributes what dir holds over at most most parts; over none when it
// is too small for that. Which part a file belongs to depends on its path, the
// weight of the directories above, and the rough weight of the whole: a change
// leaves the other parts as they are.
func divide(ctx context.Context, files fsutil.FS, dir string, most int) (division, error) {
	entries, total, err := weigh(ctx, files, dir)
	if errors.Is(err, fs.ErrNotExist) { // BuildKit will say so, and where
		return division{}, nil
	}
	if err != nil || total < splitFrom {
		return division{}, err
	}
	count := 1
	for count*2 <= min(most, mostParts) && int64(count*2)*partSize <= total {
		count *= 2
	}
	d := division{parts: make([][]string, count)}
	inside := "" // of the last directory that went as a whole
	for _, e := range entries {
		if e.isDir && !strings.Contains(e.name, "/") {
			d.dirs = append(d.dirs, e.name)
		}
		if inside != "" && strings.HasPrefix(e.name, inside) {
			continue
		}
		if e.isDir {
			if e.weight > partSize {
				continue // its entries come by themselves
			}
			inside = e.name + "/"
		}
		i := bucket(e.name, count)
		d.parts[i] = append(d.parts[i], e.name)
	}
	d.parts = slices.DeleteFunc(d.parts, func(part []string) bool { return len(part) == 0 })
	return d, nil
}

func bucket(name string, count int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	return int(h.Sum32() % uint32(count))
}

// weigh lists what is below dir, parents before their children, and returns what
// all of it weighs.
func weigh(ctx context.Context, files fsutil.FS, dir string) (entries []weighed, total int64, err error) {
	dirs := map[string]int{} // places in entries
	err = files.Walk(ctx, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
		if name == "" {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		weight := int64(fileCost)
		if info.Mode().IsRegular() {
			weight += info.Size()
		}
		if entry.IsDir() {
			dirs[name] = len(entries)
		}
		entries = append(entries, weighed{name: name, isDir: entry.IsDir(), weight: weight})
		total += weight
		for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
			if i, ok := dirs[parent]; ok {
				entries[i].weight += weight
			}
		}
		return nil
	})
	return entries, total, err
}
