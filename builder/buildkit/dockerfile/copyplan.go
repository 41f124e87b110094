package dockerfile

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/solver/pb"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
	"github.com/fandoghpaas/fandogh/catalog"
)

// defaultACL is the attribute of a directory that gives what is made in it its rights.
const defaultACL = "system.posix_acl_default"

// errOtherwise says that a copy is left to BuildKit: it may fail, or ends in a way that
// only BuildKit's copy knows.
var errOtherwise = errors.New("left to BuildKit")

// node is one file, link or directory of the build context.
type node struct {
	name string // slash path in the context
	stat *types.Stat
	blob catalog.BlobID // of a file or link
}

func (n node) isDir() bool { return fs.FileMode(n.stat.Mode).IsDir() }

// contextNodes lists a path of the build context, parents before their children, as
// BuildKit would be sent it for a copy of it: without what the ignore file names. Errors: errOtherwise
// where there is no such path, or a link on the way to it.
func contextNodes(ctx context.Context, files Context, source *pb.SourceOp, name string) ([]node, error) {
	name = strings.Trim(path.Clean("/"+name), "/")
	for parent := name; parent != "" && parent != "."; parent = path.Dir(parent) {
		if info, err := files.Lstat(parent); err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return nil, errOtherwise
		}
	}
	filtered, err := fsutil.NewFilterFS(files.Untimed(), filterOf(source))
	if err != nil {
		return nil, errOtherwise
	}
	nodes, err := walkNodes(ctx, files, filtered, name)
	if err == nil && (len(nodes) == 0 || name != "" && nodes[0].name != name) {
		err = errOtherwise
	}
	return nodes, err
}

// walkNodes lists a path of what is left of the build context by a filter.
func walkNodes(ctx context.Context, files Context, filtered fsutil.FS, name string) (nodes []node, err error) {
	err = filtered.Walk(ctx, name, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*types.Stat)
		if !ok {
			return errOtherwise
		}
		n := node{name: name, stat: stat}
		if !n.isDir() {
			if n.blob, err = files.Blob(name); err != nil {
				return err
			}
		}
		nodes = append(nodes, n)
		return nil
	})
	return nodes, err
}

// filterOf is what BuildKit asks to be sent of a source. A list that can't be read is
// one that BuildKit can't read either.
func filterOf(source *pb.SourceOp) *fsutil.FilterOpt {
	filter := &fsutil.FilterOpt{}
	for name, list := range map[string]*[]string{
		pb.AttrIncludePatterns: &filter.IncludePatterns,
		pb.AttrExcludePatterns: &filter.ExcludePatterns,
	} {
		_ = json.Unmarshal([]byte(source.Attrs[name]), list)
	}
	return filter
}

// copyPlan says what copies make in an image, by the rules of BuildKit's own copy
// (solver/llbsolver/file and fsutil/copy).
type copyPlan struct {
	root    *rootfs
	entries []export.Entry // see sorted
	index   map[string]int // in entries, by name
}

// add plans one copy of nodes, of which the first is what is copied.
func (p *copyPlan) add(ctx context.Context, c *pb.FileActionCopy, nodes []node) error {
	owner, err := p.root.owner(ctx, c.Owner)
	if err != nil {
		return err
	}
	made := &owner // whose the directories on the way become; nil: the kernel says
	if c.Owner == nil {
		made = nil
	}
	dirMode := fs.FileMode(0o755)
	if c.Mode >= 0 {
		dirMode = fs.FileMode(c.Mode)
	}
	src := strings.Trim(path.Clean("/"+c.Src), "/")
	isDir := src == "" || nodes[0].isDir()
	dest := path.Clean("/" + c.Dest)
	target, there, err := p.root.resolve(ctx, dest)
	if err != nil {
		return err
	}
	saysDir := strings.HasSuffix(c.Dest, "/") || strings.HasSuffix(c.Dest, "/.")
	isThereDir := there != nil && fs.FileMode(there.Mode).IsDir()
	if there != nil && !isThereDir && (saysDir || isDir) {
		return errOtherwise
	}
	intoDir := isThereDir || saysDir
	parent := target
	if !isDir {
		if intoDir {
			target = path.Join(target, path.Base(src))
		} else {
			parent = path.Dir(target)
		}
	}
	if err := p.makeParents(ctx, parent, dirMode, made); err != nil {
		return err
	}
	for _, n := range nodes {
		name := path.Join(target, strings.TrimPrefix(n.name, src))
		if name == target && isDir {
			continue // has been made, or was there
		}
		if err := p.put(ctx, name, n, c, owner); err != nil {
			return err
		}
	}
	return nil
}

// makeParents puts a directory, and those it is in, as they are or as they become.
func (p *copyPlan) makeParents(ctx context.Context, dir string, mode fs.FileMode, owner *owner) error {
	if _, ok := p.index[dir]; ok || dir == "/" {
		return nil
	}
	if err := p.makeParents(ctx, path.Dir(dir), mode, owner); err != nil {
		return err
	}
	there, err := p.root.lstat(ctx, dir)
	if err != nil {
		return err
	}
	e := export.Entry{Name: dir, Mode: fs.ModeDir | mode, IsParent: true}
	if there != nil {
		if !fs.FileMode(there.Mode).IsDir() {
			return errOtherwise
		}
		if there.Xattrs[defaultACL] != nil { // decides about what is made in it
			return errOtherwise
		}
		e.Mode, e.UID, e.GID = fs.FileMode(there.Mode), int(there.Uid), int(there.Gid)
		p.set(e)
		return nil
	}
	in, err := p.root.lstat(ctx, path.Dir(dir))
	if err != nil {
		return err
	}
	if fs.FileMode(in.Mode)&fs.ModeSetgid != 0 { // what the kernel does in such a directory
		e.Mode, e.GID = e.Mode|fs.ModeSetgid, int(in.Gid)
	}
	if owner != nil {
		e.UID, e.GID = owner.uid, owner.gid
	}
	p.set(e)
	return nil
}

// put plans one file, link or directory.
func (p *copyPlan) put(ctx context.Context, name string, n node, c *pb.FileActionCopy, owner owner) error {
	there, err := p.root.lstat(ctx, name)
	if err != nil {
		return err
	}
	if there != nil && fs.FileMode(there.Mode).IsDir() != n.isDir() || !fits(name, n) {
		return errOtherwise
	}
	mode := fs.FileMode(n.stat.Mode)
	e := export.Entry{Name: name, Mode: mode, UID: owner.uid, GID: owner.gid, Size: n.stat.Size, Link: n.stat.Linkname, From: n.name, Blob: n.blob}
	switch {
	case mode.IsDir():
		if e.Size, e.From = 0, ""; there != nil && there.Xattrs[defaultACL] != nil {
			return errOtherwise
		}
		fallthrough
	case mode.IsRegular():
		if c.Mode >= 0 {
			e.Mode = mode.Type() | fs.FileMode(c.Mode)
		}
	case mode.Type() == fs.ModeSymlink:
		e.Size, e.Mode = 0, fs.ModeSymlink|0o777
	default:
		return errOtherwise
	}
	p.set(e)
	return nil
}

// fits reports whether a file system takes a name, and a link's target.
func fits(name string, n node) bool {
	const mostName, mostPath = 255, 4096
	if fs.FileMode(n.stat.Mode).Type() == fs.ModeSymlink && (n.stat.Linkname == "" || len(n.stat.Linkname) >= mostPath || strings.Contains(n.stat.Linkname, "\x00")) {
		return false
	}
	return len(path.Base(name)) <= mostName && len(name) < mostPath
}

// set plans an entry, in place of what an earlier source of the same COPY put there.
func (p *copyPlan) set(e export.Entry) {
	if i, ok := p.index[e.Name]; ok {
		p.entries[i] = e
	} else {
		p.index[e.Name] = len(p.entries)
		p.entries = append(p.entries, e)
	}
	p.root.put(e)
}

// sorted returns the entries, parents before their children and all that is below a
// directory behind it.
func (p *copyPlan) sorted() []export.Entry {
	if !slices.IsSortedFunc(p.entries, comparePaths) {
		slices.SortFunc(p.entries, comparePaths)
	}
	return p.entries
}

// comparePaths orders by each path's parts in turn.
func comparePaths(a, b export.Entry) int {
	for i := range min(len(a.Name), len(b.Name)) {
		x, y := a.Name[i], b.Name[i]
		switch {
		case x == y:
		case x == '/':
			return -1
		case y == '/':
			return 1
		default:
			return int(x) - int(y)
		}
	}
	return len(a.Name) - len(b.Name)
}
