package sbom

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/google/osv-scalibr/extractor/filesystem"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/confined"
	"github.com/fandoghpaas/fandogh/internal/imagefile"
)

// No ordinary image comes near these.
const (
	maxKept  = 8 << 30   // bytes of the files that are looked into
	maxFiles = 500_000   // of them, and their directories
	maxPlain = 256 << 30 // bytes of all layers, decompressed
	maxLate  = 128 << 20 // bytes of names of hard links to files that need another look
	maxName  = 4000      // bytes of a name: Linux opens no file by one of 4096
	maxDepth = 500       // directories that a file which is looked into is below: the child has all of them open
)

var errTooMany = catalog.Errorf(catalog.Invalid, "more than %d files and directories may name packages", maxFiles)

// What layers say is gone of those below, as the OCI image layout has it.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// unpacker writes the files of an image that may name packages into a directory, as regular files and nothing else: no
// name in a layer can lead anywhere by a link.
type unpacker struct {
	root     *os.Root
	named    []filesystem.Extractor // look at files by their names
	programs []filesystem.Extractor // look into what may be run

	tree        node                // what is in the directory
	nodes       int                 // of them
	layer       int                 // that is read now, from 1
	late        map[string][]string // names of links to files of this layer that are not kept, by these
	lateBytes   int                 // of all such names, of all layers
	left, plain int64               // bytes that may still be kept, and read
}

// node is a file that is kept, or a directory, which has some in it.
type node struct {
	layer int              // that a file is of; a directory has none in it of layers before this one
	in    map[string]*node // by name; nil: it is a file
}

func newUnpacker(root *os.Root) *unpacker {
	return &unpacker{root: root, named: namedExtractors(), programs: programExtractors(), tree: node{in: map[string]*node{}}, late: map[string][]string{}, left: maxKept, plain: maxPlain}
}

// add adds one layer, which lies on those before. Errors: Invalid (it is no layer, or too large); open's.
func (u *unpacker) add(ctx context.Context, open func() (io.ReadCloser, error)) error {
	u.layer++
	if err := u.read(ctx, open, u.entry); err != nil || len(u.late) == 0 {
		return err
	}
	defer clear(u.late)
	return u.read(ctx, open, u.lateEntry)
}

func (u *unpacker) read(ctx context.Context, open func() (io.ReadCloser, error), visit func(name string, h *tar.Header, content io.Reader) error) error {
	layer, err := open()
	if err != nil {
		return err
	}
	return errors.Join(u.each(ctx, layer, visit), layer.Close())
}

// each visits the entries of a layer.
func (u *unpacker) each(ctx context.Context, layer io.Reader, visit func(name string, h *tar.Header, content io.Reader) error) error {
	plain, err := imagefile.Decompress(layer)
	if err != nil {
		return catalog.Wrap(catalog.Invalid, err, "a layer can't be decompressed: %v", err)
	}
	entries := tar.NewReader(bufio.NewReaderSize(&boundedReader{ctx: ctx, from: plain, left: &u.plain}, 64<<10))
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && max(len(h.Name), len(h.Linkname)) > maxName {
			err = syscall.ENAMETOOLONG
		}
		if err == nil {
			err = visit(nameOf(h.Name), h, entries)
		}
		if err != nil {
			return faultOf(err)
		}
	}
}

// nameOf returns a name in a layer as it is from the root; the root is "".
func nameOf(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// faultOf tells what is wrong with a layer from what is wrong with this machine.
func faultOf(err error) error {
	if errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.EMLINK) {
		return catalog.Wrap(catalog.Invalid, err, "a layer has a name that is too long, or a file of too many names")
	}
	if catalog.CodeOf(err) != catalog.Internal || errors.As(err, new(*fs.PathError)) || errors.As(err, new(*os.LinkError)) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return catalog.Wrap(catalog.Invalid, err, "a layer is no tar: %v", err)
}

func (u *unpacker) entry(name string, h *tar.Header, content io.Reader) error {
	dir, base := path.Split(name)
	gone, isWhiteout := strings.CutPrefix(base, whiteout)
	switch {
	case name == "":
		return nil
	case base == opaque:
		return u.remove(strings.TrimSuffix(dir, "/"), false)
	case isWhiteout && (gone == "" || gone == "." || gone == ".."):
		return catalog.Errorf(catalog.Invalid, "a layer says that a file without a name is gone: %q", name)
	case isWhiteout:
		return u.remove(dir+gone, false)
	case h.Typeflag == tar.TypeDir:
		if u.isFile(name) {
			return u.remove(name, true)
		}
		return nil
	}
	if err := u.remove(name, true); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return u.file(name, h, content)
	case tar.TypeLink:
		return u.link(name, h)
	}
	return nil
}

// find returns what is kept under a name; nil: nothing.
func (u *unpacker) find(name string) *node {
	at := &u.tree
	for part := range strings.SplitSeq(name, "/") {
		if at = at.in[part]; at == nil {
			return nil
		}
	}
	return at
}

func (u *unpacker) isFile(name string) bool {
	found := u.find(name)
	return found != nil && found.in == nil
}

// remove removes a file, or a directory with all that is in it; of this layer's own only if own. The root is "".
func (u *unpacker) remove(name string, own bool) error {
	if name == "" {
		return u.removeBelow(&u.tree, "", own)
	}
	return u.removeFrom(&u.tree, name, 0, own)
}

// removeFrom does so with what a directory, name[:begin], has under the rest of the name.
func (u *unpacker) removeFrom(dir *node, name string, begin int, own bool) (err error) {
	part, _, deeper := strings.Cut(name[begin:], "/")
	at, end := dir.in[part], begin+len(part)
	switch {
	case at == nil || at.layer == u.layer && !own && !deeper:
		return nil
	case at.in == nil && deeper:
		return nil
	case deeper:
		err = u.removeFrom(at, name, end+1, own)
	case at.in != nil:
		err = u.removeBelow(at, name+"/", own)
	}
	if err != nil || len(at.in) > 0 {
		return err
	}
	delete(dir.in, part)
	u.nodes--
	return u.root.Remove(name[:end])
}

// removeBelow removes what is in a directory, whose name ends in "/".
func (u *unpacker) removeBelow(dir *node, name string, own bool) error {
	for part := range dir.in {
		if err := u.removeFrom(dir, name+part, len(name), own); err != nil {
			return err
		}
	}
	dir.layer = u.layer
	return nil
}

// file keeps a regular file if it may name packages.
func (u *unpacker) file(name string, h *tar.Header, content io.Reader) error {
	if !u.wants(name, h) {
		buffered := bufio.NewReaderSize(content, 16)
		if begin, _ := buffered.Peek(4); !isProgram(begin) || !requiredBy(u.programs, name, h.FileInfo()) {
			return nil
		}
		content = buffered
	}
	return u.write(name, h, content)
}

func (u *unpacker) write(name string, h *tar.Header, content io.Reader) error {
	if err := u.place(name); err != nil {
		return err
	}
	if u.left -= h.Size; u.left < 0 {
		return catalog.Errorf(catalog.Invalid, "the files that may name packages are more than %d GiB", int64(maxKept)>>30)
	}
	file, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644|h.FileInfo().Mode()&0o111) // what may be run tells programs
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// isProgram tells by its first bytes what may hold a list of the modules that it was made of.
func isProgram(begin []byte) bool {
	return strings.HasPrefix(string(begin), "\x7fELF") || strings.HasPrefix(string(begin), "MZ")
}

func (u *unpacker) link(name string, h *tar.Header) error {
	target := nameOf(h.Linkname)
	if u.isFile(target) {
		info, err := u.root.Stat(target)
		if err != nil {
			return err
		}
		if !requiredBy(u.named, name, info) && !requiredBy(u.programs, name, h.FileInfo()) {
			return nil
		}
		return u.linkTo(target, name)
	}
	if !requiredBy(u.named, name, h.FileInfo()) {
		return nil
	}
	if u.lateBytes += len(name) + len(target); u.lateBytes > maxLate {
		return errTooMany
	}
	u.late[target] = append(u.late[target], name)
	return nil
}

// lateEntry keeps the content of a file whose own name does not tell that it is needed, under those that do.
func (u *unpacker) lateEntry(name string, h *tar.Header, content io.Reader) error {
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	written := ""
	for _, link := range u.late[name] {
		var err error
		switch {
		case u.find(link) != nil: // a later entry of the layer
		case written != "":
			err = u.linkTo(written, link)
		default:
			written, err = link, u.write(link, h, content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) linkTo(target, name string) error {
	if err := u.place(name); err != nil {
		return err
	}
	return u.root.Link(target, name)
}

// place makes room for a file, of whose name nothing is there: it counts as kept.
func (u *unpacker) place(name string) error {
	parts := strings.Split(name, "/")
	if len(parts) > maxDepth {
		return catalog.Errorf(catalog.Invalid, "a file that may name packages is below more than %d directories", maxDepth)
	}
	if u.nodes += len(parts); u.nodes > maxFiles {
		return errTooMany
	}
	dir, begin, made := &u.tree, 0, 0
	for _, part := range parts[:len(parts)-1] {
		end := begin + len(part)
		if at := dir.in[part]; at != nil && at.in == nil { // the layer leaves the directory's own entry out
			if err := u.removeFrom(dir, name[:end], begin, true); err != nil {
				return err
			}
		}
		if dir.in[part] == nil {
			dir.in[strings.Clone(part)] = &node{u.layer, map[string]*node{}}
			made++
		}
		dir, begin = dir.in[part], end+1
	}
	dir.in[strings.Clone(parts[len(parts)-1])] = &node{layer: u.layer} // and not the whole name
	u.nodes -= len(parts) - 1 - made
	if made == 0 {
		return nil
	}
	return u.root.MkdirAll(path.Dir(name), 0o755)
}

// wants reports whether a file is needed for its name.
func (u *unpacker) wants(name string, h *tar.Header) bool {
	switch name {
	case "etc/os-release", "usr/lib/os-release":
		return h.Size < 64<<10
	}
	return requiredBy(u.named, name, h.FileInfo())
}

func requiredBy(extractors []filesystem.Extractor, name string, info fs.FileInfo) bool {
	if name == confined.TemporaryDir || strings.HasPrefix(name, temporary) {
		return false
	}
	for _, e := range extractors {
		if e.FileRequired(fileAPI{name, info}) {
			return true
		}
	}
	return false
}

// fileAPI implements filesystem.FileAPI.
type fileAPI struct {
	name string
	info fs.FileInfo
}

func (f fileAPI) Path() string               { return f.name }
func (f fileAPI) Stat() (fs.FileInfo, error) { return f.info, nil }

// boundedReader reads until the context ends or too much came.
type boundedReader struct {
	ctx  context.Context
	from io.Reader
	left *int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.from.Read(p)
	if *b.left -= int64(n); *b.left < 0 {
		return n, catalog.Errorf(catalog.Invalid, "the layers are more than %d GiB", int64(maxPlain)>>30)
	}
	return n, err
}
