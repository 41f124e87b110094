package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
	"github.com/fandoghpaas/fandogh/internal/backup"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// mostRounds bounds how often is checked again: what one mended may show another fault, such as a tag that an unreadable file had.
const mostRounds = 6

// repair mends what a check finds, until nothing more can be mended, and tells of each fault what became of it. What is lost comes
// from the newest backup in a directory, unless that is empty.
func (a *admin) repair(cmd *cobra.Command, from string) error {
	r := &repair{admin: a, byName: map[string]*mended{}}
	if from != "" {
		var err error
		if r.snapshot, _, err = backup.Newest(from); err != nil {
			return usage.Error{Err: err}
		}
	}
	for progress := true; progress; r.rounds++ {
		var err error
		if progress, err = r.round(cmd.Context()); err != nil {
			return err
		}
	}
	left := 0
	for _, m := range r.told {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n  %s\n", m.fault.What, m.outcome())
		switch {
		case m.left:
			left++
		case m.did != "":
			if err := a.did(cmd, "fault of the data directory mended", "fault", m.fault.What, "did", m.did); err != nil {
				return err
			}
		}
	}
	if left > 0 {
		return fmt.Errorf("%d problems were found in %s, and %d are left", len(r.told), a.data, left)
	}
	if len(r.told) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d problems were found and mended.\n", len(r.told))
	}
	r.checked.sayWhole(cmd)
	return nil
}

// repair is a repair under way.
type repair struct {
	*admin
	snapshot string // a backup's directory; empty: there is none
	rounds   int
	checked  *checker  // the last one
	told     []*mended // in the order in which they were found
	byName   map[string]*mended
}

// round checks, and mends what is found. It reports whether something was mended, so that another round may find more or less.
func (r *repair) round(ctx context.Context) (progress bool, err error) {
	var found []catalog.Fault
	r.checked = newChecker(r.data, r.store, func(f catalog.Fault) { found = append(found, f) })
	r.checked.beside = false // the lock is our own
	if err := r.checked.run(ctx); err != nil {
		return false, err
	}
	for _, m := range r.told {
		m.left = false
	}
	here := false // without the backup
	for _, f := range found {
		m := r.byName[f.What]
		if m == nil {
			m = &mended{fault: f}
			r.byName[f.What], r.told = m, append(r.told, m)
		}
		m.left = true
		if m.did != "" || r.rounds == mostRounds {
			continue
		}
		if f.File != "" && f.Whole == nil && here {
			continue // what is missing of the directory may be there with what was mended: the next round tells
		}
		if m.did, m.err = r.mend(ctx, f); m.did != "" {
			progress, here = true, here || f.Mend != nil
		}
	}
	return progress, nil
}

// mend mends a fault by itself, or else from the backup. Where neither can be it did nothing.
func (r *repair) mend(ctx context.Context, f catalog.Fault) (did string, err error) {
	if f.Mend != nil {
		if did, err = f.Mend(ctx); err == nil {
			return did, nil
		}
	}
	if f.File != "" && r.snapshot != "" {
		did, copyErr := r.copyFrom(ctx, r.snapshot, f)
		if did != "" {
			return did, nil
		}
		err = errors.Join(err, copyErr)
	}
	return "", err
}

// copyFrom takes a fault's file from a backup; of a directory, files that it lacks. Where all is there already it did nothing.
func (a *admin) copyFrom(ctx context.Context, snapshot string, f catalog.Fault) (did string, err error) {
	name, err := filepath.Rel(a.data, f.File)
	if err != nil {
		return "", err
	}
	source, took := filepath.Join(snapshot, backup.DataDir, name), true
	switch {
	case f.Whole == nil:
		took, err = placeMissing(ctx, f, source)
	case f.Whole(source) != nil:
		return "", fmt.Errorf("the backup has it not: %w", f.Whole(source))
	case f.Whole(f.File) == nil: // for another fault
		return "", nil
	default:
		err = place(ctx, f, source, f.File)
	}
	if err != nil || !took {
		return "", err
	}
	return "it was taken from " + snapshot, nil
}

// place puts a backup's file in the place of what is missing or damaged.
func place(ctx context.Context, f catalog.Fault, from, to string) error {
	if f.Place != nil {
		if done, err := f.Place(ctx, from, to); done || err != nil {
			return err
		}
	}
	return copyFile(from, to)
}

// placeMissing places the files of a fault's directory that it lacks, and reports whether there was one.
func placeMissing(ctx context.Context, f catalog.Fault, from string) (placed bool, err error) {
	to := f.File
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(filepath.Join(to, name)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		placed = true
		return place(ctx, f, path, filepath.Join(to, name))
	})
	return placed, err
}

// copyFile makes or replaces a file, with the mode of the other.
func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return atomicfile.ReplaceFrom(to, info.Mode().Perm(), func(w io.Writer) error {
		in, err := os.Open(from)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, in)
		return errors.Join(err, in.Close())
	})
}

// mended is a fault and what became of it.
type mended struct {
	fault catalog.Fault
	did   string // empty: nothing
	err   error
	left  bool // the last check found it
}

func (m *mended) outcome() string {
	advice := cmp.Or(m.fault.Advice, "restore the data directory from a backup")
	switch {
	case !m.left && m.did != "":
		return "mended: " + m.did
	case !m.left:
		return "mended with another"
	case m.err != nil:
		return fmt.Sprintf("not mended: %v; %s", m.err, advice)
	case m.did != "":
		return "not mended, though " + m.did + "; " + advice
	}
	return "not mended: " + advice
}
