package objects

import (
	"bytes"
	"encoding/hex"
	"sort"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Git's file modes.
const (
	ModeTree       = 0o040000
	ModeFile       = 0o100644
	ModeExecutable = 0o100755
	ModeSymlink    = 0o120000
	ModeSubmodule  = 0o160000
)

// Link is an object that another one names, with the type it must have.
type Link struct {
	Hash plumbing.Hash
	Type plumbing.ObjectType
}

// TreeEntry is one name in a tree. Its mode is one of those above, whichever
// permissions were stored.
type TreeEntry struct {
	Name string
	Mode uint32
	Hash plumbing.Hash
}

// ParseTree returns a tree's entries in git's order.
func ParseTree(data []byte) ([]TreeEntry, error) {
	var entries []TreeEntry
	for len(data) > 0 {
		mode, name, hash, rest, err := nextEntry(data)
		if err != nil {
			return nil, err
		}
		entries = append(entries, TreeEntry{string(name), mode, hash})
		data = rest
	}
	return entries, nil
}

func nextEntry(data []byte) (mode uint32, name []byte, hash plumbing.Hash, rest []byte, err error) {
	i := 0
	for ; i < len(data) && data[i] != ' '; i++ {
		if data[i] < '0' || data[i] > '7' || i > 6 {
			return 0, nil, hash, nil, corrupt("a tree entry has a bad mode")
		}
		mode = mode<<3 | uint32(data[i]-'0')
	}
	end := bytes.IndexByte(data, 0)
	if i == 0 || end < i+1 || len(data) < end+21 {
		return 0, nil, hash, nil, corrupt("a tree entry is truncated")
	}
	copy(hash[:], data[end+1:])
	return canonicalMode(mode), data[i+1 : end], hash, data[end+21:], nil
}

// canonicalMode reads a mode as git does, of which old versions and other
// programs stored all permissions: a file's owner may execute it or not. An
// unknown type's mode is returned as it is.
func canonicalMode(mode uint32) uint32 {
	switch typ := mode &^ 0o7777; {
	case typ == 0o100000 && mode&0o100 != 0:
		return ModeExecutable
	case typ == 0o100000:
		return ModeFile
	case typ == ModeTree, typ == ModeSymlink, typ == ModeSubmodule:
		return typ
	}
	return mode
}

// treeChecker keeps what it needs from one tree to the next.
type treeChecker struct {
	entries []checkedName
	links   []Link
}

type checkedName struct {
	name   []byte
	isTree bool
}

// check refuses trees that git itself would not make: names that could write
// into .git or out of the tree, wrong order, names given twice. The links are
// good until the next call.
func (t *treeChecker) check(data []byte) ([]Link, error) {
	seen, links := t.entries[:0], t.links[:0]
	for len(data) > 0 {
		mode, name, hash, rest, err := nextEntry(data)
		if err != nil {
			return nil, err
		}
		data = rest
		if err := checkEntryName(name); err != nil {
			return nil, err
		}
		isTree := mode == ModeTree
		if n := len(seen); n > 0 && compareEntries(seen[n-1].name, seen[n-1].isTree, name, isTree) >= 0 {
			return nil, corrupt("tree entries %q and %q are out of order or duplicates", seen[n-1].name, name)
		}
		// A file and a directory of one name need not be neighbours. The file comes first.
		if isTree {
			_, found := sort.Find(len(seen), func(i int) int { return compareEntries(name, false, seen[i].name, seen[i].isTree) })
			if found {
				return nil, corrupt("tree has two entries %q", name)
			}
		}
		seen = append(seen, checkedName{name, isTree})
		if hash.IsZero() {
			return nil, corrupt("tree entry %q names no object", name)
		}
		switch mode {
		case ModeTree:
			links = append(links, Link{hash, plumbing.TreeObject})
		case ModeFile, ModeExecutable, ModeSymlink:
			links = append(links, Link{hash, plumbing.BlobObject})
		case ModeSubmodule: // its commit lives elsewhere
		default:
			return nil, corrupt("tree entry %q has mode %o, which git does not know", name, mode)
		}
	}
	t.entries, t.links = seen, links
	return links, nil
}

// CompareEntries is the order of a tree's entries.
func CompareEntries(a, b TreeEntry) int {
	return compareEntries([]byte(a.Name), a.Mode == ModeTree, []byte(b.Name), b.Mode == ModeTree)
}

// compareEntries orders names as git does: a directory as if it ended in "/".
func compareEntries(a []byte, aTree bool, b []byte, bTree bool) int {
	n := min(len(a), len(b))
	if c := bytes.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	end := func(name []byte, tree bool) int {
		switch {
		case len(name) > n:
			return int(name[n])
		case tree:
			return '/'
		}
		return 0
	}
	return end(a, aTree) - end(b, bTree)
}

func checkEntryName(name []byte) error {
	switch string(name) {
	case "", ".", "..":
		return corrupt("a tree has an entry named %q", name)
	}
	switch {
	case bytes.IndexByte(name, '/') >= 0:
		return corrupt("tree entry %q contains a slash", name)
	case catalog.IsDotGit(string(name)):
		return corrupt("tree entry %q is equivalent to .git", name)
	}
	return nil
}

// Commit is what the server needs of a commit.
type Commit struct {
	Tree    plumbing.Hash
	Parents []plumbing.Hash
	Time    int64 // the committer's, Unix seconds
}

// ParseCommit reads a commit's header.
func ParseCommit(data []byte) (Commit, error) {
	var c Commit
	line, rest := cutLine(data)
	var ok bool
	if c.Tree, ok = hashLine(line, "tree "); !ok {
		return c, corrupt("a commit names no tree")
	}
	for line, rest = cutLine(rest); bytes.HasPrefix(line, []byte("parent ")); line, rest = cutLine(rest) {
		parent, ok := hashLine(line, "parent ")
		if !ok {
			return c, corrupt("a commit has a bad parent")
		}
		c.Parents = append(c.Parents, parent)
	}
	if !bytes.HasPrefix(line, []byte("author ")) {
		return c, corrupt("a commit has no author")
	}
	if line, _ = cutLine(rest); !bytes.HasPrefix(line, []byte("committer ")) {
		return c, corrupt("a commit has no committer")
	}
	c.Time = LineTime(line)
	return c, nil
}

// LineTime returns the seconds in "committer Name <mail> 1700000000 +0000".
func LineTime(line []byte) int64 {
	i := bytes.LastIndexByte(line, '>')
	if i < 0 {
		return 0
	}
	var seconds int64
	for _, c := range bytes.TrimLeft(line[i+1:], " ") {
		if c < '0' || c > '9' || seconds > 1<<40 {
			break
		}
		seconds = seconds*10 + int64(c-'0')
	}
	return seconds
}

// ParseTag returns what a tag object points to.
func ParseTag(data []byte) (Link, error) {
	line, rest := cutLine(data)
	target, ok := hashLine(line, "object ")
	if !ok {
		return Link{}, corrupt("a tag names no object")
	}
	line, rest = cutLine(rest)
	name, ok := bytes.CutPrefix(line, []byte("type "))
	typ, err := plumbing.ParseObjectType(string(name))
	if !ok || err != nil || typ.IsDelta() {
		return Link{}, corrupt("a tag names no type")
	}
	if line, _ = cutLine(rest); !bytes.HasPrefix(line, []byte("tag ")) {
		return Link{}, corrupt("a tag has no name")
	}
	return Link{target, typ}, nil
}

func cutLine(data []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(data, []byte{'\n'})
	return line, rest
}

func hashLine(line []byte, prefix string) (h plumbing.Hash, ok bool) {
	text, ok := bytes.CutPrefix(line, []byte(prefix))
	if !ok {
		return h, false
	}
	return ParseHash(text)
}

// ParseHash reads an object's name in hex.
func ParseHash(text []byte) (h plumbing.Hash, ok bool) {
	if len(text) != hex.EncodedLen(len(h)) {
		return h, false
	}
	_, err := hex.Decode(h[:], text)
	return h, err == nil
}
