package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
	"github.com/fandoghpaas/fandogh/internal/backup"
	"github.com/fandoghpaas/fandogh/internal/usage"
	"github.com/fandoghpaas/fandogh/internal/version"
)

// backupOptions are what is backed up, and where to.
type backupOptions struct {
	noLogs bool
	keep   int
	config string
}

func (a *admin) newBackup() *cobra.Command {
	o := backupOptions{}
	cmd := &cobra.Command{
		Use:   "backup DIR|-",
		Short: "Back up the data directory while the daemon runs, or while none does",
		Long: "Write a backup of the data directory to DIR, as a directory named after the time, or as a tar to standard output for `-`. The daemon serves\n" +
			"and builds meanwhile; all versions that are built when the backup begins are in it. Until it ends, nothing is removed permanently:\n" +
			"garbage collection and what was deleted wait.\n\n" +
			"Each backup in DIR is complete. Layers and git packs that the one before it has are hard links to its files, so that another takes only\n" +
			"what is new; DIR should be on another disk than the data directory, on a file system with hard links. An interrupted backup is not used, and earlier ones\n" +
			"remain. Caches (buildkit, mirror) and unfinished uploads are left out.\n\n" +
			"A backup contains the key of the stored secrets and the SSH host keys: keep it as secret as the data directory.",
		Example: "  fandoghd admin --data data backup /backup/fandogh --keep 14\n" +
			"  fandoghd admin --data data backup - | ssh other 'cat >fandogh.tar'",
		Args: usage.ExactArgs("DIR"),
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		if o.keep < 1 {
			return usage.Errorf("--keep must be 1 or greater, not %d", o.keep)
		}
		if o.config != "" {
			if _, err := os.Stat(o.config); err != nil {
				return usage.Errorf("--config: %w", err)
			}
		}
		return a.backUp(cmd, args[0], o)
	})
	cmd.Flags().BoolVar(&o.noLogs, "no-logs", false, "leave out the logs of builds")
	cmd.Flags().IntVar(&o.keep, "keep", 7, "keep this `number` of backups in DIR and remove older ones")
	cmd.Flags().StringVar(&o.config, "config", "", "also back up this configuration `file`")
	return cmd
}

func (a *admin) backUp(cmd *cobra.Command, to string, o backupOptions) error {
	ctx := cmd.Context()
	release, err := a.hold(cmd)
	if err != nil {
		return err
	}
	defer release()
	m := backup.Manifest{Made: time.Now().UTC(), Program: version.String(), Logs: !o.noLogs}
	if to == "-" {
		stream := backup.NewStream(ctx, cmd.OutOrStdout())
		if err := a.addAll(ctx, stream, o); err != nil {
			return err
		}
		m, err = stream.Finish(m)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Backed up %d files of %d bytes.\n", m.Files, m.Bytes)
		return a.backedUp(cmd, m, "standard output")
	}
	if to, err = a.backupPlace(to); err != nil {
		return err
	}
	snapshot, err := backup.Begin(ctx, to, o.keep)
	if err != nil {
		return err
	}
	defer snapshot.Close()
	if err := a.addAll(ctx, snapshot, o); err != nil {
		return fmt.Errorf("the backup is incomplete, and earlier ones remain: %w", err)
	}
	if m, err = snapshot.Finish(m); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Backed up %d files of %d bytes to %s, of which %d bytes were copied.\n", m.Files, m.Bytes, snapshot.Path(), snapshot.Copied())
	return a.backedUp(cmd, m, snapshot.Path())
}

// lastBackupFile is what the newest backup says of itself, kept in the data directory for the daemon's metrics.
const lastBackupFile = "last-backup.json"

// backedUp notes a backup that is complete.
func (a *admin) backedUp(cmd *cobra.Command, m backup.Manifest, to string) error {
	text, err := json.Marshal(m)
	if err == nil {
		// Another user's daemon may read it, too: the directory is closed to all others.
		err = atomicfile.Replace(filepath.Join(a.data, lastBackupFile), append(text, '\n'), 0o644)
	}
	did := a.did(cmd, "data directory backed up", "to", to)
	if catalog.IsDiskFull(err) || catalog.IsDiskFull(did) {
		fmt.Fprintf(cmd.ErrOrStderr(), "The backup is complete. The disk of %s is full, so that neither its metrics nor its audit log may tell of it.\n", a.data)
		return nil
	}
	return errors.Join(err, did)
}

// lastBackup returns when the newest backup of a data directory was begun, zero without any.
func lastBackup(data string) (time.Time, error) {
	text, err := os.ReadFile(filepath.Join(data, lastBackupFile))
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	var m backup.Manifest
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m.Made, err
}

// hold keeps what is in the data directory from being removed, and moved.
func (a *admin) hold(cmd *cobra.Command) (release func(), err error) {
	for deadline := time.Now().Add(movesWait); ; {
		release, err = backup.Hold(cmd.Context(), a.data, func() {
			fmt.Fprintln(cmd.ErrOrStderr(), "Waiting until another backup or check, or the removal of deleted data, ends.")
		})
		if err != nil {
			return nil, err
		}
		moves, err := a.store.Moves(cmd.Context())
		if err == nil && len(moves) == 0 {
			return release, nil
		}
		release()
		switch {
		case err != nil:
			return nil, err
		case !isRunning(a.data) || time.Now().After(deadline):
			return nil, fmt.Errorf("image %s was transferred and its files are not moved yet; start fandoghd, which moves them, and try again", moves[0].To)
		}
		select {
		case <-time.After(movesInterval):
		case <-cmd.Context().Done():
			return nil, cmd.Context().Err()
		}
	}
}

// backupPlace refuses a directory that would be part of its own backup.
func (a *admin) backupPlace(dir string) (string, error) {
	place, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	data, err := filepath.EvalSymlinks(a.data)
	if err == nil {
		data, err = filepath.Abs(data)
	}
	if err != nil {
		return "", err
	}
	real := place
	if resolved, err := filepath.EvalSymlinks(place); err == nil {
		real = resolved
	}
	if below, err := filepath.Rel(data, real); err == nil && filepath.IsLocal(below) {
		return "", usage.Errorf("%s is in the data directory itself; choose a directory outside, on another disk", dir)
	}
	return place, nil
}

// addAll adds the files of the data directory, in an order in which none lacks what it names: the
// database, refs and then their objects, tags and manifests and then their blobs.
func (a *admin) addAll(ctx context.Context, to backup.Sink, o backupOptions) error {
	images, lastBuild, err := a.addDatabase(ctx, to)
	if err != nil {
		return err
	}
	add := func(name string, fixed backup.Fixed) error {
		return to.Add(path.Join(backup.DataDir, name), filepath.Join(a.data, filepath.FromSlash(name)), fixed)
	}
	below := func(dir string) func(name string, fixed bool) error {
		return func(name string, fixed bool) error {
			if fixed {
				return add(path.Join(dir, name), backup.BySize)
			}
			return add(path.Join(dir, name), backup.Changing)
		}
	}
	repositories := repository.OpenToRead(filepath.Join(a.data, "repos"))
	for _, image := range images {
		if err := repositories.EachFile(image, below("repos")); err != nil {
			return err
		}
	}
	if err := registry.EachFile(filepath.Join(a.data, "registry"), images, below("registry")); err != nil {
		return err
	}
	if err := a.eachOther(o, lastBuild, add); err != nil {
		return err
	}
	if o.config == "" {
		return nil
	}
	return to.Add(backup.ConfigFile, o.config, backup.Changing)
}

// addDatabase adds a copy of the database, and returns the images that it has, and the highest ID of its builds. The copy is made where the backup goes, or else beside the
// database, or where temporary files are if there is no room.
func (a *admin) addDatabase(ctx context.Context, to backup.Sink) (images []catalog.ImageRef, lastBuild int64, err error) {
	places := []string{to.Scratch()}
	if places[0] == "" {
		places = []string{a.data, os.TempDir()}
	}
	var file string
	for i, place := range places {
		dir, err := os.MkdirTemp(place, ".backup-") // as private as the database
		if err == nil {
			defer os.RemoveAll(dir) //nolint:errcheck // it may be removed while no backup runs
			file = databasePath(dir)
			err = a.store.CopyTo(ctx, file)
		}
		if catalog.IsDiskFull(err) && i+1 < len(places) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		break
	}
	// What the database has now may be more, or less.
	store, err := sqlite.OpenAsItIs(ctx, file)
	if err != nil {
		return nil, 0, err
	}
	lastBuild, countErr := store.LastBuildID(ctx)
	err = catalog.EachImage(ctx, store, "", func(image catalog.Image) error {
		images = append(images, image.Ref)
		return nil
	})
	if err = errors.Join(err, countErr, store.Close()); err != nil {
		return nil, 0, err
	}
	return images, lastBuild, to.Add(path.Join(backup.DataDir, filepath.Base(file)), file, backup.Changing)
}

// notBackedUp are what of a data directory is added in its own way, or not at all: caches, what is being received, and what is
// there while the daemon runs.
var notBackedUp = []string{"repos", "registry", "buildkit", "mirror", "uploads", "sbom", "lock", lostAndFound, backup.LockFile, addressesFile, lastBackupFile}

// eachOther visits the rest: keys, times, and logs of builds up to the last that the database has.
func (a *admin) eachOther(o backupOptions, lastBuild int64, visit func(name string, fixed backup.Fixed) error) error {
	entries, err := os.ReadDir(a.data)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if slices.Contains(notBackedUp, name) || strings.HasPrefix(name, ".") || strings.HasPrefix(name, filepath.Base(databasePath(""))) || o.noLogs && name == "logs" {
			continue
		}
		err := filepath.WalkDir(filepath.Join(a.data, name), func(file string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".") {
				return err
			}
			below, err := filepath.Rel(a.data, file)
			if err != nil {
				return err
			}
			fixed := backup.Changing
			if name == "logs" {
				if builder.LogID(file) > lastBuild {
					return nil
				}
				fixed = backup.ByTime // it only grows
			}
			return visit(filepath.ToSlash(below), fixed)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
