// Package archive reads the archives that users upload, zips and tars of all kinds, and gives their files to a tree. It
// tells them by their bytes, and trusts nothing they say: names, sizes and links are checked entry by entry, within limits.
package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Limits bound an archive.
type Limits struct {
	Bytes    int64 // as it is sent
	Unpacked int64 // bytes of all files
	Entries  int   // files, links and directories, those included that only paths name

	// Of what follows, zero means what WithDefaults says.
	Ratio     int64 // of unpacked bytes to sent ones, held above ratioFrom
	PathBytes int
	Depth     int // directories above a file
}

// WithDefaults returns the limits with those that no operator sets.
func (l Limits) WithDefaults() Limits {
	l.Ratio, l.PathBytes, l.Depth = cmp.Or(l.Ratio, 200), cmp.Or(l.PathBytes, 1024), cmp.Or(l.Depth, 64)
	return l
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
	name     string
	kind     kind
	mode     int64     // as Unix has it, of a file or directory
	modeless bool      // the archive has no modes; whether a file is executable, its first bytes say
	size     int64     // of a file
	content  io.Reader // of a file
	target   string    // of a link
}

// unpacker checks an archive's entries and gives them to a tree.
type unpacker struct {
	limits Limits
	to     catalog.TreeWriter
	sent   *sentBytes
	seen   map[string]seenPath // by path
	lost   map[string]int64    // modes that are not kept, by path
	last   string              // the directory that was entered last
	names  int                 // bytes of seen's paths
	files  int                 // links among them
	size   int64               // bytes of all files
}

func newUnpacker(to catalog.TreeWriter, limits Limits, sent *sentBytes) *unpacker {
	return &unpacker{limits: limits, to: to, sent: sent, seen: map[string]seenPath{}, lost: map[string]int64{}}
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
	return sourceError(catalog.Invalid, "the archive's entry %s is not allowed: "+format, append([]any{shown(name)}, args...)...)
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
		return refuse(e.name, "it is the root of the archive, which can only be a directory")
	}
	if err := u.enter(clean, e); err != nil {
		return err
	}
	if e.kind != kindDir {
		u.files++
	}
	u.noteMode(clean, e)
	switch e.kind {
	case kindFile:
		return u.file(clean, e)
	case kindLink:
		if why := badTarget(e.target, u.limits.PathBytes); why != "" {
			return refuse(e.name, "it is a symbolic link to %s, %s", shown(e.target), why)
		}
		return u.to.Symlink(clean, e.target)
	case kindHardLink:
		return u.hardLink(clean, e)
	}
	return u.to.Dir(clean)
}

// cleanPath returns an entry's path as fs.ValidPath has it, empty for the root.
func (u *unpacker) cleanPath(name string) (string, error) {
	switch {
	case len(name) > u.limits.PathBytes:
		return "", sourceError(catalog.TooLarge, "the archive's entry %s is not allowed: its path is longer than %d bytes", shown(name), u.limits.PathBytes)
	case strings.HasPrefix(name, "/"):
		return "", refuse(name, "its path is absolute; archive paths relative to the project")
	case strings.Contains(name, "\x00"):
		return "", refuse(name, "its name contains a zero byte")
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".":
		case part == "..":
			return "", refuse(name, "its path contains .., which could leave the project")
		case len(part) > maxComponent:
			return "", sourceError(catalog.TooLarge, "the archive's entry %s is not allowed: a component of its path is longer than %d bytes", shown(name), maxComponent)
		case catalog.IsDotGit(part):
			return "", refuse(name, "git reserves this name; leave .git out of the archive")
		default:
			parts = append(parts, part)
		}
	}
	if len(parts)-1 > u.limits.Depth {
		return "", sourceError(catalog.TooLarge, "the archive's entry %s is not allowed: it is nested deeper than %d directories", shown(name), u.limits.Depth)
	}
	return strings.Join(parts, "/"), nil
}

// enter notes an entry's path and those of its directories.
func (u *unpacker) enter(clean string, e archiveEntry) error {
	for i := range len(clean) {
		if clean[i] != '/' || strings.HasPrefix(u.last, clean[:i+1]) { // or it was entered with the one before
			continue
		}
		there, err := u.enterOne(seenPath{path: clean[:i], kind: kindDir})
		if err != nil {
			return err
		}
		if there.kind != kindDir {
			return refuse(e.name, "%s, above it, is not a directory", shown(clean[:i]))
		}
	}
	u.last = clean[:strings.LastIndexByte(clean, '/')+1]
	now := seenPath{path: clean, kind: e.kind, size: e.size}
	there, err := u.enterOne(now)
	if err == nil && there.path != "" && (there.kind == kindDir) != (e.kind == kindDir) {
		return refuse(e.name, "the archive has this path twice, as a directory and as something else")
	}
	if err == nil && there.path != "" { // of two entries the last counts, as for who unpacks it
		u.seen[clean] = now
	}
	return err
}

// enterOne notes a path and returns what was there before; of a new path the
// result has the kind alone.
func (u *unpacker) enterOne(p seenPath) (seenPath, error) {
	if there, known := u.seen[p.path]; known {
		return there, nil
	}
	if len(u.seen) >= u.limits.Entries {
		return seenPath{}, sourceError(catalog.TooLarge, "the archive has more than %d files and directories, which is the limit; exclude what the build does not need with .dockerignore", u.limits.Entries)
	}
	if u.names += len(p.path); u.names > u.limits.Entries*meanPath {
		return seenPath{}, sourceError(catalog.TooLarge, "the archive's paths are longer than %d bytes together, which is the limit; exclude what the build does not need with .dockerignore", u.limits.Entries*meanPath)
	}
	u.seen[p.path] = p
	return seenPath{kind: p.kind}, nil
}

func (u *unpacker) file(clean string, e archiveEntry) error {
	if e.size < 0 || e.size > u.limits.Unpacked-u.size {
		return u.tooMuch()
	}
	content := &meter{r: e.content, count: u.count}
	from := bufio.NewReaderSize(content, 16)
	executable := e.mode&0o100 != 0 // the owner's, as git has it
	if e.modeless {
		head, _ := from.Peek(4) // what can't be read is told below
		executable = bytes.HasPrefix(head, []byte("#!")) || bytes.HasPrefix(head, []byte("\x7fELF"))
	}
	err := u.to.File(clean, executable, e.size, from)
	if content.err != nil {
		return damaged(e.name, content.err)
	}
	return err
}

// noteMode notes whether git, and so the version, has another mode than the archive.
func (u *unpacker) noteMode(clean string, e archiveEntry) {
	delete(u.lost, clean)
	if e.modeless || e.kind != kindFile && e.kind != kindDir {
		return
	}
	kept := int64(0o644)
	if e.kind == kindDir || e.mode&0o100 != 0 {
		kept = 0o755
	}
	// That the group may write is the umask's doing more often than the user's wish.
	if e.mode&^0o020 != kept && e.mode != 0 {
		u.lost[clean] = e.mode
	}
}

// lostModes says which modes are not kept, "" for none.
func (u *unpacker) lostModes() string {
	if len(u.lost) == 0 {
		return ""
	}
	first := slices.Min(slices.Collect(maps.Keys(u.lost)))
	what := "1 file mode is"
	if len(u.lost) > 1 {
		what = fmt.Sprintf("%d file modes are", len(u.lost))
	}
	return fmt.Sprintf("%s not kept (%s had %03o): git supports only 644 and 755 for files, and 755 for directories. Set other modes with RUN chmod or COPY --chmod",
		what, shown(first), u.lost[first])
}

// hardLink makes another file of an earlier one's content.
func (u *unpacker) hardLink(clean string, e archiveEntry) error {
	target, err := u.cleanPath(e.target)
	if err != nil {
		return refuse(e.name, "it is a hard link to %s, which is outside the project", shown(e.target))
	}
	there, known := u.seen[target]
	if !known || there.kind != kindFile || target == clean {
		return refuse(e.name, "it is a hard link to %s, which is not an earlier file of the archive", shown(e.target))
	}
	if err := u.count(there.size); err != nil {
		return err
	}
	u.seen[clean] = seenPath{path: clean, kind: kindFile, size: there.size}
	return u.to.Copy(clean, target)
}

// badTarget says why a link can't be stored. Where it leads is no matter: it is content, as in
// git, and nothing is unpacked.
func badTarget(target string, most int) string {
	switch {
	case target == "":
		return "which is an empty path"
	case strings.Contains(target, "\x00"):
		return "which contains a zero byte"
	case len(target) > most:
		return "which is too long"
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
	return sourceError(catalog.TooLarge, "the archive unpacks to more than %s, which is the limit; exclude what the build does not need with .dockerignore", mebibytes(u.limits.Unpacked))
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
		return sourceErrorOf(err, "the archive is truncated%s; create it again", where)
	}
	return sourceErrorOf(err, "the archive is damaged%s: %v; create it again", where, err)
}

func sourceErrorOf(cause error, format string, args ...any) error {
	e := sourceError(catalog.Invalid, format, args...)
	e.Err = cause
	return e
}
