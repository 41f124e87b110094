package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/internal/atomicfile"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

const (
	// manifestFile is written last: a snapshot without it is incomplete.
	manifestFile = "backup.json"
	// DataDir is where a snapshot has the files of the data directory.
	DataDir = "data"
	// ConfigFile is the configuration file, beside them.
	ConfigFile = "config.yaml"

	incomplete = ".incomplete"
	nameLayout = "20060102T150405.000Z"
	format     = 1

	// syncedBytes is the size from which a file is on disk for good as soon as it has its name, and may be used
	// again when the snapshot is never finished. All others are when Finish returns.
	syncedBytes = 1 << 20
)

// Manifest says what a snapshot is.
type Manifest struct {
	Format  int       `json:"format"` // 1
	Made    time.Time `json:"made"`   // when it began
	Program string    `json:"program"`
	Logs    bool      `json:"logs"` // whether it has the logs of builds
	Files   int       `json:"files"`
	Bytes   int64     `json:"bytes"` // of all files
}

// Fixed says what tells that an earlier snapshot has a file's content under its name.
type Fixed int

const (
	// Changing is of a file of which nothing does.
	Changing Fixed = iota
	// BySize is of one of which its size does, since under this name a finished file has always the same content, whatever data directory it is of.
	BySize
	// ByTime is of one of which its size and the time when it was written do. Names that are numbers are given again by another data directory.
	ByTime
)

// Sink takes a backup's files.
type Sink interface {
	// Add takes the file at from by a name, with slashes. A file that is gone is no error.
	Add(name, from string, fixed Fixed) error
	// Scratch is a directory for files that are made to be added, and removed by who makes them; empty: there is none.
	Scratch() string
	// Finish makes the backup count. Files and bytes of the manifest are filled in.
	Finish(m Manifest) (Manifest, error)
}

// Snapshot is a backup in a directory of snapshots while it is made.
type Snapshot struct {
	ctx    context.Context
	place  string
	name   string // of the snapshot when it is whole
	dir    string
	before string   // the snapshot before it; empty: none
	left   []string // what is left of those that were never finished
	keep   int
	files  int
	bytes  int64
	copied int64
	unlock func()
}

// Begin makes a snapshot in a directory, which is made if it is missing; of those that are whole keep remain when it is. Errors: unix.EWOULDBLOCK
// when another backup to the directory runs.
func Begin(ctx context.Context, place string, keep int) (*Snapshot, error) {
	if err := os.MkdirAll(place, 0o700); err != nil {
		return nil, err
	}
	unlock, err := lock(place, unix.LOCK_EX)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("another backup to %s is running: %w", place, err)
	}
	if err != nil {
		return nil, err
	}
	s := &Snapshot{ctx: ctx, place: place, keep: keep, unlock: unlock}
	whole, left, err := snapshots(place)
	if len(whole) > 0 {
		s.before = whole[len(whole)-1]
	}
	s.left, s.name = left, nextName(time.Now(), slices.Concat(whole, left))
	s.dir = filepath.Join(place, s.name+incomplete)
	if err == nil {
		err = os.Mkdir(s.dir, 0o700)
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return s, nil
}

// nextName returns a name that stands after those there are, whatever the clock says.
func nextName(now time.Time, there []string) string {
	for _, dir := range there {
		at, err := time.Parse(nameLayout, strings.TrimSuffix(filepath.Base(dir), incomplete))
		if err == nil && !now.After(at.Add(time.Millisecond)) {
			now = at.Add(time.Millisecond)
		}
	}
	return now.UTC().Format(nameLayout)
}

// Close ends the making of a snapshot, whether it was finished or not.
func (s *Snapshot) Close() { s.unlock() }

// snapshots returns those of a directory, the oldest first: the whole ones, and those that were never finished.
func snapshots(place string) (whole, left []string, err error) {
	entries, err := os.ReadDir(place)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name, isLeft := strings.CutSuffix(e.Name(), incomplete)
		if _, err := time.Parse(nameLayout, name); err != nil || !e.IsDir() {
			continue
		}
		path := filepath.Join(place, e.Name())
		if isLeft {
			left = append(left, path)
		} else {
			whole = append(whole, path)
		}
	}
	slices.Sort(whole) // by name is by time
	return whole, left, nil
}

// Path is where the snapshot is when it is whole.
func (s *Snapshot) Path() string { return filepath.Join(s.place, s.name) }

// Scratch implements Sink: it is where the snapshot itself is going to be.
func (s *Snapshot) Scratch() string { return s.dir }

// Copied returns how many bytes were copied, and not linked.
func (s *Snapshot) Copied() int64 { return s.copied }

// Add implements Sink.
func (s *Snapshot) Add(name, from string, fixed Fixed) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	info, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	to := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s is there already: the disk takes names for one that differ in upper and lower case alone; use another disk, or a tar", to)
	}
	linked := false
	if fixed != Changing {
		if linked, err = s.link(name, to, info, fixed); err != nil {
			return err
		}
	}
	size := info.Size()
	if !linked {
		if size, err = copyFile(from, to, info); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		s.copied += size
	}
	s.files, s.bytes = s.files+1, s.bytes+size
	return err
}

// noLink are the errors of a disk that has no hard links, such as exFAT and some network disks, or no more of this file.
var noLink = []unix.Errno{unix.EMLINK, unix.EPERM, unix.ENOTSUP, unix.ENOSYS, unix.EXDEV}

// link takes a file from an earlier snapshot, if one has it.
func (s *Snapshot) link(name, to string, live fs.FileInfo, fixed Fixed) (bool, error) {
	same := func(old fs.FileInfo) bool {
		return old.Mode().IsRegular() && old.Size() == live.Size() && (fixed != ByTime || old.ModTime().Equal(live.ModTime()))
	}
	from := slices.Clone(s.left)
	if live.Size() < syncedBytes {
		from = nil // it may be there and empty, after a crash of the machine
	}
	if s.before != "" {
		from = append([]string{s.before}, from...)
	}
	for _, dir := range from {
		old := filepath.Join(dir, filepath.FromSlash(name))
		info, err := os.Lstat(old)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !same(info) {
			continue
		}
		if err != nil {
			return false, err
		}
		err = os.Link(old, to)
		if slices.ContainsFunc(noLink, func(no unix.Errno) bool { return errors.Is(err, no) }) {
			continue
		}
		return err == nil, err
	}
	return false, nil
}

// copyFile copies a file with its mode and time, and returns how many bytes it has.
func copyFile(from, to string, info fs.FileInfo) (size int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close() //nolint:errcheck // read only
	temporary := to + ".new"
	out, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	size, err = io.Copy(out, in)
	if err == nil {
		err = out.Chmod(info.Mode().Perm())
	}
	if err == nil && size >= syncedBytes {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Chtimes(temporary, info.ModTime(), info.ModTime())
	}
	if err == nil {
		err = os.Rename(temporary, to)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(temporary))
	}
	return size, nil
}

// Finish implements Sink: it puts everything on disk for good, gives the snapshot its name, and removes older ones.
func (s *Snapshot) Finish(m Manifest) (Manifest, error) {
	m.Format, m.Files, m.Bytes = format, s.files, s.bytes
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	if err := syncAll(s.dir); err != nil {
		return m, err
	}
	if err := atomicfile.Replace(filepath.Join(s.dir, manifestFile), append(text, '\n'), 0o600); err != nil {
		return m, err
	}
	if err := os.Rename(s.dir, s.Path()); err != nil {
		return m, err
	}
	if err := atomicfile.SyncDir(s.place); err != nil {
		return m, err
	}
	whole, left, err := snapshots(s.place)
	if err != nil {
		return m, err
	}
	if more := len(whole) - s.keep; more > 0 {
		left = append(left, whole[:more]...)
	}
	return m, removeSnapshots(left)
}

// removeSnapshots removes snapshots, whose names tell first that they are none any more.
func removeSnapshots(dirs []string) error {
	var errs []error
	for _, dir := range dirs {
		gone := strings.TrimSuffix(dir, incomplete) + incomplete
		var err error
		if gone != dir {
			err = os.Rename(dir, gone)
		}
		if err == nil {
			err = os.RemoveAll(gone)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Newest returns the newest whole snapshot that a directory has, or is, with its manifest.
func Newest(dir string) (snapshot string, m Manifest, err error) {
	whole, left, err := snapshots(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", m, err
	}
	if _, err := os.Stat(filepath.Join(dir, manifestFile)); err == nil {
		whole = []string{dir}
	}
	if len(whole) == 0 {
		what := "has no backup"
		if len(left) > 0 || strings.HasSuffix(filepath.Clean(dir), incomplete) {
			what = "has only an incomplete backup"
		}
		return "", m, fmt.Errorf("%s %s; name a directory that `fandoghd admin backup` wrote to, or one of those in it", dir, what)
	}
	snapshot = whole[len(whole)-1]
	if m, err = readManifest(filepath.Join(snapshot, manifestFile)); err != nil {
		return "", m, fmt.Errorf("read the backup %s: %w", snapshot, err)
	}
	return snapshot, m, nil
}

// readManifest reads what a snapshot says of itself. Whoever else can write where backups are may have put anything there.
func readManifest(file string) (m Manifest, err error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return m, err
	}
	defer f.Close() //nolint:errcheck // read only
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return m, errors.Join(err, fmt.Errorf("%s is not a regular file, as all of a backup are", file))
	}
	text, err := bounded.ReadAll(f, maxManifest)
	if err != nil {
		return m, err
	}
	return parseManifest(text)
}

// Restore copies the data directory's files of a snapshot to a directory. They have there the names that place gives them.
// It returns how many files and bytes the snapshot has, which its manifest tells, too.
func Restore(ctx context.Context, snapshot, to string, place func(name string) string) (files int, bytes int64, err error) {
	root := filepath.Join(snapshot, DataDir)
	if info, err := os.Stat(filepath.Join(snapshot, ConfigFile)); err == nil { // stays there, and counts
		files, bytes = 1, info.Size()
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file, as all of a backup are", path)
		}
		target := filepath.Join(to, place(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		size, err := copyFile(path, target, info)
		files, bytes = files+1, bytes+size
		return err
	})
	if err == nil {
		err = syncAll(to)
	}
	return files, bytes, err
}
