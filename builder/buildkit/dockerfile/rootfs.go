package dockerfile

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"path"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/sys/user"
	"github.com/tonistiigi/fsutil/types"

	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
)

const (
	// maxLooks bounds the directories of an image that are looked at; each is a request.
	maxLooks = 256
	maxHops  = 255 // links on one path, as BuildKit has it
	// maxUserFile is what BuildKit reads of an image's passwd or group file.
	maxUserFile = 10 << 20
)

// rootfs is the file system of an unfinished image: what BuildKit has of it, and what is
// planned on top.
type rootfs struct {
	base    func(context.Context) (gateway.Reference, error) // asked once, if at all; nil for an empty image
	seen    *SeenDirs                                        // nil where a build's steps decide what is there
	id      string                                           // of the base, among what was seen
	ref     gateway.Reference
	asked   bool
	looks   int
	dirs    map[string]map[string]*types.Stat // of the base, by path; a nil map is no directory
	planned map[string]*types.Stat            // by path
}

func newRootfs(base func(context.Context) (gateway.Reference, error)) *rootfs {
	return &rootfs{base: base, dirs: map[string]map[string]*types.Stat{}, planned: map[string]*types.Stat{}}
}

// owner is who a copied file belongs to.
type owner struct{ uid, gid int }

// lstat returns what is at a path whose directories are no links; nil for nothing.
func (r *rootfs) lstat(ctx context.Context, name string) (*types.Stat, error) {
	if name == "/" { // of the layer that is being made, which begins as this
		return &types.Stat{Mode: uint32(fs.ModeDir | 0o755)}, nil
	}
	if stat, ok := r.planned[name]; ok {
		return stat, nil
	}
	dir, err := r.readDir(ctx, path.Dir(name))
	return dir[path.Base(name)], err
}

// readDir lists a directory of the base.
func (r *rootfs) readDir(ctx context.Context, name string) (map[string]*types.Stat, error) {
	if r.base == nil {
		return nil, nil
	}
	if known, ok := r.dirs[name]; ok {
		return known, nil
	}
	if name != "/" { // ask only for what is there
		parent, err := r.readDir(ctx, path.Dir(name))
		if err != nil {
			return nil, err
		}
		stat, ok := parent[path.Base(name)]
		if !ok || !fs.FileMode(stat.Mode).IsDir() {
			r.dirs[name] = nil
			return nil, nil
		}
	}
	if known, ok := r.seen.get(r.id, name); ok {
		r.dirs[name] = known
		return known, nil
	}
	if r.looks++; r.looks > maxLooks {
		return nil, errOtherwise
	}
	ref, err := r.reference(ctx)
	if err != nil {
		return nil, err
	}
	entries := map[string]*types.Stat{}
	if ref != nil {
		list, err := ref.ReadDir(ctx, gateway.ReadDirRequest{Path: name})
		if err != nil {
			return nil, orContext(ctx)
		}
		for _, stat := range list {
			entries[path.Base(stat.Path)] = stat
		}
	}
	r.dirs[name] = entries
	r.seen.add(r.id, name, entries)
	return entries, nil
}

func (r *rootfs) reference(ctx context.Context) (gateway.Reference, error) {
	if !r.asked {
		var err error
		if r.ref, err = r.base(ctx); err != nil {
			return nil, err
		}
		r.asked = true
	}
	return r.ref, nil
}

// orContext is the error where BuildKit can't say what is there: it may have ended.
func orContext(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errOtherwise
}

// resolve follows the links on a path, inside the image. It returns the path without them,
// and what is there, nil for nothing.
func (r *rootfs) resolve(ctx context.Context, name string) (string, *types.Stat, error) {
	at, rest := "/", strings.Split(strings.Trim(name, "/"), "/")
	for hops := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		stat, err := r.lstat(ctx, next)
		if err != nil {
			return "", nil, err
		}
		if stat == nil || fs.FileMode(stat.Mode).Type() != fs.ModeSymlink {
			at = next
			continue
		}
		if hops++; hops > maxHops {
			return "", nil, errOtherwise
		}
		if path.IsAbs(stat.Linkname) {
			at = "/"
		}
		rest = append(strings.Split(stat.Linkname, "/"), rest...)
	}
	stat, err := r.lstat(ctx, at)
	return at, stat, err
}

// put plans an entry.
func (r *rootfs) put(e export.Entry) {
	r.planned[e.Name] = &types.Stat{Mode: uint32(e.Mode), Uid: uint32(e.UID), Gid: uint32(e.GID), Linkname: e.Link}
}

// cover plans the entries of another layer on top. Errors: errOtherwise where one takes the
// place of something of another kind, with all below it.
func (r *rootfs) cover(ctx context.Context, entries []export.Entry) error {
	for _, e := range entries {
		there, err := r.lstat(ctx, e.Name)
		if err != nil {
			return err
		}
		if there != nil && fs.FileMode(there.Mode).IsDir() != e.Mode.IsDir() {
			return errOtherwise
		}
		r.put(e)
	}
	return nil
}

// owner looks up who an option names, by BuildKit's rules: an empty option is root, and a
// user without a group has his own.
func (r *rootfs) owner(ctx context.Context, o *pb.ChownOpt) (owner, error) {
	var found owner
	switch u := o.GetUser().GetUser().(type) {
	case *pb.UserOpt_ByID:
		found = owner{int(u.ByID), int(u.ByID)}
	case *pb.UserOpt_ByName:
		text, err := r.readFile(ctx, "/etc/passwd")
		if err != nil {
			return found, err
		}
		users, err := user.ParsePasswdFilter(text, func(candidate user.User) bool { return candidate.Name == u.ByName.Name })
		if err != nil {
			return found, errOtherwise
		}
		if len(users) > 0 {
			found = owner{users[0].Uid, users[0].Gid}
		}
	}
	switch g := o.GetGroup().GetUser().(type) {
	case *pb.UserOpt_ByID:
		found.gid = int(g.ByID)
	case *pb.UserOpt_ByName:
		text, err := r.readFile(ctx, "/etc/group")
		if err != nil {
			return found, err
		}
		groups, err := user.ParseGroupFilter(text, func(candidate user.Group) bool { return candidate.Name == g.ByName.Name })
		if err != nil {
			return found, errOtherwise
		}
		if len(groups) > 0 {
			found.gid = groups[0].Gid
		}
	}
	if found.uid < 0 || found.gid < 0 {
		return found, errOtherwise
	}
	return found, nil
}

// readFile reads a file of the base, nothing where there is none.
func (r *rootfs) readFile(ctx context.Context, name string) (io.Reader, error) {
	if r.base == nil {
		return nil, errOtherwise
	}
	real, stat, err := r.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if _, isPlanned := r.planned[real]; isPlanned || stat != nil && (!fs.FileMode(stat.Mode).IsRegular() || stat.Size > maxUserFile) {
		return nil, errOtherwise
	}
	if stat == nil {
		return strings.NewReader(""), nil
	}
	ref, err := r.reference(ctx)
	if err != nil {
		return nil, err
	}
	text, err := ref.ReadFile(ctx, gateway.ReadRequest{Filename: real})
	if err != nil {
		return nil, orContext(ctx)
	}
	return bytes.NewReader(text), nil
}
