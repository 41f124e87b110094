package hooks

import (
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/fandoghpaas/fandogh/catalog"
)

// UploadLimits bound an archive.
type UploadLimits struct {
	Bytes     int64 // as it is sent
	Unpacked  int64 // bytes of all files
	Entries   int   // files, links and directories, those included that only paths name
	Ratio     int64 // of unpacked bytes to sent ones, held above RatioFrom
	PathBytes int
	Depth     int // directories above a file
}

// DefaultUploadLimits fit sources, not disk images.
var DefaultUploadLimits = UploadLimits{
	Bytes: 512 << 20, Unpacked: 2 << 30, Entries: 100_000, Ratio: 200, PathBytes: 1024, Depth: 64,
}

const (
	// ratioFrom is how much may be unpacked at any ratio, in bytes.
	ratioFrom = 16 << 20
	// meanPath bounds the memory for names: it is the longest mean length of
	// all paths, in bytes.
	meanPath = 256
	// maxComponent is what file systems take, in bytes.
	maxComponent = 255
)

func (l *UploadLimits) setDefaults() {
	d := DefaultUploadLimits
	for _, f := range []struct {
		to    *int64
		value int64
	}{{&l.Bytes, d.Bytes}, {&l.Unpacked, d.Unpacked}, {&l.Ratio, d.Ratio}} {
		if *f.to <= 0 {
			*f.to = f.value
		}
	}
	for _, f := range []struct {
		to    *int
		value int
	}{{&l.Entries, d.Entries}, {&l.PathBytes, d.PathBytes}, {&l.Depth, d.Depth}} {
		if *f.to <= 0 {
			*f.to = f.value
		}
	}
}

// kind is what an archive's entry is.
type kind int

const (
	kindFile kind = iota
	kindDir
	kindLink     // symbolic
	kindHardLink // tar alone has it
)

// archiveEntry is one entry as its archive has it.
type archiveEntry struct {
	name       string
	kind       kind
	executable bool
	size       int64     // of a file
	content    io.Reader // of a file
	target     string    // of a link
}

// unpacker checks an archive's entries and gives them to a tree.
type unpacker struct {
	limits UploadLimits
	to     catalog.TreeWriter
	sent   *sentBytes
	seen   map[string]seenPath // by folded path
	fold   cases.Caser
	names  int   // bytes of seen's paths
	files  int   // links among them
	size   int64 // bytes of all files
}

func newUnpacker(to catalog.TreeWriter, limits UploadLimits, sent *sentBytes) *unpacker {
	return &unpacker{limits: limits, to: to, sent: sent, seen: map[string]seenPath{}, fold: cases.Fold()}
}

// seenPath is a path of the archive, or a directory that one implies.
type seenPath struct {
	path string
	kind kind
	size int64
}

func sourceError(code catalog.Code, format string, args ...any) *catalog.Error {
	e := catalog.Errorf(code, format, args...)
	e.Field = "source"
	return e
}

// refuse is the error about one entry.
func refuse(name, format string, args ...any) error {
	return sourceError(catalog.Invalid, "the archive's entry %s is refused: "+format, append([]any{shown(name)}, args...)...)
}

// shown quotes a name and keeps it short.
func shown(name string) string {
	const most = 200
	if len(name) > most {
		name = name[:most] + "…"
	}
	return quote(name)
}

// add takes one entry in.
func (u *unpacker) add(ctx context.Context, e archiveEntry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	clean, err := u.cleanPath(e.name)
	if err != nil || clean == "" && e.kind == kindDir {
		return err
	}
	if clean == "" {
		return refuse(e.name, "it is the archive's own root, which can only be a directory")
	}
	if err := u.enter(clean, e); err != nil {
		return err
	}
	if e.kind != kindDir {
		u.files++
	}
	switch e.kind {
	case kindFile:
		return u.file(clean, e)
	case kindLink:
		if why := badTarget(clean, e.target, u.limits.PathBytes); why != "" {
			return refuse(e.name, "it is a link to %s, %s", shown(e.target), why)
		}
		return u.to.Symlink(clean, e.target)
	case kindHardLink:
		return u.hardLink(clean, e)
	}
	return nil
}

// cleanPath returns an entry's path as fs.ValidPath has it, empty for the root.
func (u *unpacker) cleanPath(name string) (string, error) {
	switch {
	case !utf8.ValidString(name):
		return "", refuse(name, "its name is not UTF-8")
	case len(name) > u.limits.PathBytes:
		return "", sourceError(catalog.TooLarge, "the archive's entry %s is refused: its path is longer than %d bytes", shown(name), u.limits.PathBytes)
	case strings.HasPrefix(name, "/"):
		return "", refuse(name, "its path is absolute; archive paths relative to the project")
	case strings.Contains(name, `\`):
		return "", refuse(name, `its path holds a \; archives separate directories by /`)
	case len(name) > 1 && name[1] == ':':
		return "", refuse(name, "its path names a drive; archive paths relative to the project")
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", refuse(name, "its name holds a control character")
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".":
		case part == "..":
			return "", refuse(name, "its path holds .., which could leave the project")
		case len(part) > maxComponent:
			return "", sourceError(catalog.TooLarge, "the archive's entry %s is refused: a part of its path is longer than %d bytes", shown(name), maxComponent)
		case catalog.IsDotGit(part):
			return "", refuse(name, "git keeps its own data under such a name; leave .git out of the archive")
		default:
			parts = append(parts, part)
		}
	}
	if len(parts)-1 > u.limits.Depth {
		return "", sourceError(catalog.TooLarge, "the archive's entry %s is refused: it is nested deeper than %d directories", shown(name), u.limits.Depth)
	}
	return strings.Join(parts, "/"), nil
}

// enter notes an entry's path and those of its directories.
func (u *unpacker) enter(clean string, e archiveEntry) error {
	for i := range len(clean) {
		if clean[i] != '/' {
			continue
		}
		there, err := u.enterOne(seenPath{path: clean[:i], kind: kindDir}, e.name)
		if err != nil {
			return err
		}
		if there.kind != kindDir {
			return refuse(e.name, "%s, above it, is no directory", shown(clean[:i]))
		}
	}
	there, err := u.enterOne(seenPath{path: clean, kind: e.kind, size: e.size}, e.name)
	if err == nil && there.path != "" && (there.kind != kindDir || e.kind != kindDir) {
		return refuse(e.name, "the archive has this path twice")
	}
	return err
}

// enterOne notes a path and returns what was there before; of a new path the
// result has the kind alone.
func (u *unpacker) enterOne(p seenPath, name string) (seenPath, error) {
	key := u.key(p.path)
	there, known := u.seen[key]
	if known && there.path != p.path {
		return there, refuse(name, "it differs from %s only in case or in how its letters are encoded, and some systems can't keep both", shown(there.path))
	}
	if known {
		return there, nil
	}
	if len(u.seen) >= u.limits.Entries {
		return there, sourceError(catalog.TooLarge, "the archive has more than %d files and directories, which is the limit; leave out what the build does not need, by .dockerignore", u.limits.Entries)
	}
	if u.names += len(p.path); u.names > u.limits.Entries*meanPath {
		return there, sourceError(catalog.TooLarge, "the archive's paths are longer than %d bytes together, which is the limit; leave out what the build does not need, by .dockerignore", u.limits.Entries*meanPath)
	}
	u.seen[key] = p
	return seenPath{kind: p.kind}, nil
}

// key is the same for paths that some file system takes for the same.
func (u *unpacker) key(path string) string { return u.fold.String(norm.NFC.String(path)) }

func (u *unpacker) file(clean string, e archiveEntry) error {
	if e.size < 0 || e.size > u.limits.Unpacked-u.size {
		return u.tooMuch()
	}
	content := &meter{r: e.content, count: u.count}
	err := u.to.File(clean, e.executable, e.size, content)
	if content.err != nil {
		return damaged(e.name, content.err)
	}
	return err
}

// hardLink makes another file of an earlier one's content.
func (u *unpacker) hardLink(clean string, e archiveEntry) error {
	target, err := u.cleanPath(e.target)
	if err != nil {
		return refuse(e.name, "it is a hard link out of the project, to %s", shown(e.target))
	}
	there, known := u.seen[u.key(target)]
	if !known || there.path != target || there.kind != kindFile || target == clean {
		return refuse(e.name, "it is a hard link to %s, which is no earlier file of the archive", shown(e.target))
	}
	if err := u.count(there.size); err != nil {
		return err
	}
	u.seen[u.key(clean)] = seenPath{path: clean, kind: kindFile, size: there.size}
	return u.to.Copy(clean, target)
}

// badTarget says why a link may not point where it does. A target goes up
// first and down then; where it goes up, it goes through real directories, so
// that no chain of links leads out.
func badTarget(clean, target string, most int) string {
	switch {
	case target == "":
		return "which is nowhere"
	case !utf8.ValidString(target) || strings.ContainsFunc(target, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "which is no path in UTF-8"
	case len(target) > most:
		return "which is too long"
	case strings.HasPrefix(target, "/"):
		return "which is absolute and so leaves the project; make it relative"
	case strings.Contains(target, `\`):
		return `whose directories are not separated by /`
	}
	up, down := strings.Count(clean, "/"), false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if down {
				return "which goes down and up again; name the target directly"
			}
			if up--; up < 0 {
				return "which leaves the project"
			}
		default:
			down = true
		}
	}
	return ""
}

// count adds unpacked bytes.
func (u *unpacker) count(n int64) error {
	u.size += n
	return u.check(u.size)
}

func (u *unpacker) check(unpacked int64) error {
	switch {
	case unpacked > u.limits.Unpacked:
		return u.tooMuch()
	case unpacked > ratioFrom && unpacked/u.limits.Ratio > u.sent.n:
		return sourceError(catalog.TooLarge, "the archive unpacks to more than %d times its size, which is the limit", u.limits.Ratio)
	}
	return nil
}

func (u *unpacker) tooMuch() error {
	return sourceError(catalog.TooLarge, "the archive unpacks to more than %s, which is the limit; leave out what the build does not need, by .dockerignore", mebibytes(u.limits.Unpacked))
}

// damaged is the error about bytes that can't be read.
func damaged(name string, err error) error {
	if catalog.CodeOf(err) != catalog.Internal {
		return err
	}
	where := ""
	if name != "" {
		where = " at " + shown(name)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return sourceErrorOf(err, "the archive is cut off%s; make it again", where)
	}
	return sourceErrorOf(err, "the archive is damaged%s: %v; make it again", where, err)
}

func sourceErrorOf(cause error, format string, args ...any) error {
	e := sourceError(catalog.Invalid, format, args...)
	e.Err = cause
	return e
}
