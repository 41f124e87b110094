package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
	"github.com/fandoghpaas/fandogh/internal/backup"
	"github.com/fandoghpaas/fandogh/internal/usage"
	"github.com/fandoghpaas/fandogh/internal/version"
)

func (a *admin) newRestore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FROM|-",
		Short: "Restore a backup into an empty data directory, and check all of it",
		Long: "Copy a backup into the data directory that --data names, which must be empty or missing, and check everything in it as `fandoghd admin check` does.\n" +
			"A backup with anything missing or damaged is refused with a list of what is wrong, and the data directory stays empty. FROM is a directory that `fandoghd admin backup`\n" +
			"wrote to, of which the newest backup is taken, one of the backups in it, or a tar\n" +
			"that `backup -` wrote, also compressed by gzip or zstd; `-` reads one from standard input. A configuration file in a tar is written to restored-config.yaml.\n\n" +
			"The daemon can then be started on it. Builds that were queued or running run again, and webhooks and commit statuses that were still to be sent are sent.",
		Example: "  fandoghd admin restore /backup/fandogh --data /var/lib/fandogh-new\n" +
			"  ssh other cat fandogh.tar.zst | fandoghd admin restore - --data /var/lib/fandogh-new",
		Args: usage.ExactArgs("FROM"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.restore(cmd, args[0]) }
	return cmd
}

// restorable is a backup, wherever it is.
type restorable struct {
	name   string // for messages
	advice string // what to do where it is damaged
	config string // where its configuration is when it is restored; it need not have one
	// restore copies its files as backup.Restore does.
	restore func(ctx context.Context, to string, place func(name string) string) (m backup.Manifest, files int, bytes int64, err error)
}

// restoredConfig is where a tar's configuration is written, in the data directory.
const restoredConfig = "restored-config.yaml"

// sharedDamage says what damage to a hard link means.
const sharedDamage = "other backups in the same directory share files with this one, damaged ones, too, and so do those that are made there from now on: " +
	"if the data directory is whole, back it up to another directory"

// findBackup finds what is to be restored.
func (a *admin) findBackup(cmd *cobra.Command, from string) (r restorable, err error) {
	info, err := os.Stat(from)
	switch {
	case from == "-":
		return a.tarBackup("standard input", func() (io.ReadCloser, error) { return io.NopCloser(cmd.InOrStdin()), nil }), nil
	case err == nil && info.Mode().IsRegular():
		return a.tarBackup(from, func() (io.ReadCloser, error) { return os.Open(from) }), nil
	}
	snapshot, m, err := backup.Newest(from)
	return restorable{snapshot, sharedDamage, filepath.Join(snapshot, backup.ConfigFile), func(ctx context.Context, to string, place func(string) string) (backup.Manifest, int, int64, error) {
		files, bytes, err := backup.Restore(ctx, snapshot, to, place)
		return m, files, bytes, err
	}}, err
}

func (a *admin) tarBackup(name string, open func() (io.ReadCloser, error)) restorable {
	return restorable{name, "restore another one", filepath.Join(a.data, restoredConfig), func(ctx context.Context, to string, place func(string) string) (m backup.Manifest, files int, bytes int64, err error) {
		in, err := open()
		if err != nil {
			return m, 0, 0, err
		}
		defer in.Close() //nolint:errcheck // read only
		return backup.RestoreTar(ctx, in, to, restoredConfig, place)
	}}
}

func (a *admin) restore(cmd *cobra.Command, from string) (err error) {
	r, err := a.findBackup(cmd, from)
	if err != nil {
		return usage.Error{Err: err}
	}
	if err := os.MkdirAll(a.data, 0o700); err != nil {
		return dataFault(err)
	}
	there, err := contentsOf(a.data)
	if err != nil {
		return dataFault(err)
	}
	if err := interruptedRestore(a.data); err != nil {
		return usage.Error{Err: err}
	}
	if len(there) > 0 {
		return usage.Errorf("%s is not empty, and contains %s; restore into an empty directory with --data", a.data, filepath.Base(there[0]))
	}
	lock, err := lockDirectory(a.data) // no daemon starts on a part of it
	if err != nil {
		return dataFault(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, emptyDirectory(a.data))
		}
		_ = lock.Close() // it was not written
	}()
	if err := os.Chmod(a.data, 0o700); err != nil { //nolint:gosec // a directory
		return dataFault(err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Restoring %s.\n", r.name)
	c, m, err := a.restoreChecked(cmd.Context(), r)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Restored %d images and %d versions into %s, made at %s by %s, and nothing is wrong with them.\n",
		c.images, c.versions, a.data, m.Made.Format("2006-01-02 15:04:05 MST"), m.Program)
	if _, err := os.Stat(r.config); err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "The configuration is in %s.\n", r.config)
	}
	return nil
}

// restoreChecked copies and checks a backup. Its database gets its name last: without it this is no data directory.
func (a *admin) restoreChecked(ctx context.Context, r restorable) (*checker, backup.Manifest, error) {
	database := databasePath("")
	unchecked := uncheckedPath("")
	m, files, bytesThere, err := r.restore(ctx, a.data, func(name string) string {
		if name == database {
			return unchecked
		}
		return name
	})
	if err != nil {
		return nil, m, fmt.Errorf("restore %s: %w", r.name, err)
	}
	var list bytes.Buffer
	c := newChecker(a.data, nil, func(f catalog.Fault) { fmt.Fprintln(&list, f.What) })
	c.beside = true // as it was when it was backed up: tags came after the database
	c.ofBackup = true
	report := func(what string) { c.report(catalog.Fault{What: what}) }
	if files != m.Files || bytesThere != m.Bytes {
		report(fmt.Sprintf("the backup has %d files of %d bytes, and had %d of %d when it was made", files, bytesThere, m.Files, m.Bytes))
	}
	var newer sqlite.NewerError
	if err := c.runOn(ctx, filepath.Join(a.data, unchecked)); errors.As(err, &newer) {
		return nil, m, fmt.Errorf("nothing was restored: fandoghd %s made the backup %s, and this is %s: %w", m.Program, r.name, version.String(), newer)
	} else if err != nil {
		report(err.Error())
	}
	if ctx.Err() != nil {
		return nil, m, ctx.Err()
	}
	if c.problems > 0 {
		return nil, m, fmt.Errorf("the backup %s is damaged, and nothing was restored:\n%s%s", r.name, list.String(), r.advice)
	}
	if err := skipIDs(ctx, filepath.Join(a.data, unchecked), m.Made); err != nil {
		return nil, m, err
	}
	if err := os.Remove(filepath.Join(a.data, unchecked+".lock")); err != nil {
		return nil, m, err
	}
	if err := os.Rename(filepath.Join(a.data, unchecked), filepath.Join(a.data, database)); err != nil {
		return nil, m, err
	}
	return c, m, atomicfile.SyncDir(a.data)
}

// skipIDs has a restored database go on behind all IDs that may have been given since it was copied, at a thousand a second: by the data directory
// that was lost, or by one that was restored from the same backup before.
func skipIDs(ctx context.Context, database string, made time.Time) error {
	store, err := sqlite.Open(ctx, database)
	if err != nil {
		return err
	}
	err = store.SkipIDs(ctx, max(time.Since(made), time.Minute).Milliseconds())
	return errors.Join(err, store.Close())
}

// runOn is run with the database in a file, which is brought up to date.
func (c *checker) runOn(ctx context.Context, database string) (err error) {
	if _, err := os.Stat(database); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if c.store, err = sqlite.Open(ctx, database); err != nil {
		return err
	}
	return errors.Join(c.run(ctx), c.store.Close())
}

// lostAndFound is what the root of an ext4 file system has by itself.
const lostAndFound = "lost+found"

// contentsOf returns the paths of what is in a directory, but for what its file system has there.
func contentsOf(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != lostAndFound {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
}

// emptyDirectory removes what is in a directory.
func emptyDirectory(dir string) error {
	paths, err := contentsOf(dir)
	errs := []error{err}
	for _, path := range paths {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// uncheckedPath is where a data directory's database is until all of a restored backup is there, and checked.
func uncheckedPath(data string) string { return databasePath(data) + ".unchecked" }

// interruptedRestore says that a data directory is what a restore left that was interrupted. While one runs, it has the lock.
func interruptedRestore(data string) error {
	if _, err := os.Lstat(uncheckedPath(data)); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return fmt.Errorf("%s has a part of a backup, of which the restore was interrupted or runs; if it does not run, empty the directory and restore again", data)
}
