package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/builder/buildkitd"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newGC() *cobra.Command {
	var dryRun, force, cache, emptyTrash bool
	var grace time.Duration
	var file string
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove image data that no version needs, and show the disk usage of versions",
		Long: "Remove blobs of the registry that no built version and no image's Git LFS object needs and that were not used during the grace time. The daemon does the same by\n" +
			"itself; both can run at the same time as pushes, pulls and builds. Bytes that versions share count for each of them; OWN is what\n" +
			"deleting only that version would free. Removed blobs stay in registry/trash for another grace time and are restored if they are needed.\n" +
			"Removing more than half of all image data requires --force. Uploads that were not continued during the grace time are deleted permanently.\n\n" +
			"To free the disk of versions that were deleted just now, give a shorter grace time while nobody pushes, and the trash no grace time:\n" +
			"run `fandoghd admin gc --grace 10m`, and then `fandoghd admin gc --empty-trash`.\n\n" +
			"With --cache, remove instead all build cache that no running build uses, and say what that freed. Builds that follow take longer.",
		Example: "  fandoghd admin --data data gc --dry-run\n  fandoghd admin --data data gc --cache",
		Args:    usage.ExactArgs(),
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		if cache {
			if dryRun || force || emptyTrash || cmd.Flags().Changed("grace") {
				return usage.Errorf("--cache is about the build cache alone; run `fandoghd admin gc` again for image data")
			}
			return a.pruneCache(cmd)
		}
		if emptyTrash && dryRun {
			return usage.Errorf("--dry-run removes nothing; the directory registry/trash shows what --empty-trash would remove")
		}
		if !cmd.Flags().Changed("grace") {
			var err error
			if grace, err = a.usualGrace(file); err != nil {
				return err
			}
		} else if err := a.checkGrace(cmd, grace); err != nil {
			return err
		}
		images, err := registry.New(registry.Config{Dir: filepath.Join(a.data, "registry"), Store: a.store, Auth: a.accounts, Removing: removing(a.data), Logger: hclog.NewNullLogger()})
		if err != nil {
			return err
		}
		defer images.Close() //nolint:errcheck // nothing is left to write
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "VERSION\tBYTES\tOWN")
		done, err := images.Collect(cmd.Context(), registry.CollectOptions{Grace: grace, DryRun: dryRun, Force: force, EmptyTrash: emptyTrash, Report: func(u registry.VersionUse) {
			fmt.Fprintf(w, "%s:%s\t%d\t%d\n", u.Image, u.Version, u.Bytes, u.Own)
		}})
		if err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		verb := "removed"
		if dryRun {
			verb = "would remove"
		}
		if !dryRun {
			err = a.did(cmd, "image data collected", "grace", grace.String(), "blobs", strconv.Itoa(done.Freed.Blobs), "bytes", strconv.FormatInt(done.Freed.Bytes, 10))
		}
		if err != nil {
			return err
		}
		if emptyTrash {
			fmt.Fprintf(cmd.OutOrStdout(), "removed %d blobs of %d bytes from registry/trash permanently\n", done.Trash.Blobs, done.Trash.Bytes)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %d blobs of %d bytes, kept %d of %d bytes that are needed or were used within %s; removed blobs stay in registry/trash for the same time again\n"+
			"%s %d abandoned uploads of %d bytes permanently\n", verb, done.Freed.Blobs, done.Freed.Bytes, done.Kept.Blobs, done.Kept.Bytes, grace,
			verb, done.Uploads.Blobs, done.Uploads.Bytes)
		return err
	})
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be removed")
	cmd.Flags().BoolVar(&emptyTrash, "empty-trash", false, "remove permanently what earlier collections moved to registry/trash")
	cmd.Flags().BoolVar(&cache, "cache", false, "remove build cache instead of image data")
	cmd.Flags().BoolVar(&force, "force", false, "remove even more than half of all image data")
	cmd.Flags().DurationVar(&grace, "grace", 0, "keep what was used within this `duration` (default registry.grace of the running daemon, or of the configuration)")
	cmd.Flags().StringVar(&file, "config", os.Getenv(config.EnvPrefix+"CONFIG"), "YAML configuration `file`, if no daemon is running")
	return cmd
}

// pruneCache removes the cache of the buildkitd that the daemon runs.
func (a *admin) pruneCache(cmd *cobra.Command) error {
	running, err := readAddresses(a.data)
	switch {
	case err != nil:
		return err
	case running == nil:
		return fmt.Errorf("no daemon is running on %s; build cache can be removed only while its buildkitd runs", a.data)
	case running.BuildKit == "":
		return errors.New("the daemon builds with the BuildKits of builder.addresses; remove their cache there, with buildctl prune")
	}
	freed, err := buildkitd.Prune(cmd.Context(), running.BuildKit, 0)
	if err != nil {
		return fmt.Errorf("the build cache: %w", err)
	}
	if err := a.did(cmd, "build cache removed", "bytes", strconv.FormatInt(freed, 10)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "removed %s of build cache\n", bytesSize(freed))
	return err
}

// usualGrace is the grace time of the daemon that runs, or of one that would.
func (a *admin) usualGrace(file string) (time.Duration, error) {
	running, err := readAddresses(a.data)
	if err != nil {
		return 0, err
	}
	if running != nil && running.Grace > 0 {
		return running.Grace, nil
	}
	c, err := configuration(file)
	return c.Registry.Grace.Std(), err
}

// configuration is that of a daemon that would run.
func configuration(file string) (config.Config, error) {
	c, err := config.Load(file, os.Environ())
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return c, usage.Errorf("configuration:\n%w", err)
	}
	return c, nil
}

// checkGrace warns of a grace time that is shorter than the daemon's, which is longer than builds take.
func (a *admin) checkGrace(cmd *cobra.Command, grace time.Duration) error {
	if grace <= 0 {
		return usage.Errorf("--grace must be longer than the longest push, not %s", grace)
	}
	running, err := readAddresses(a.data)
	if err == nil && running != nil && grace < running.Grace {
		fmt.Fprintf(cmd.ErrOrStderr(), "the running daemon has a grace time of %s; with a shorter one, builds and pushes may lose data that they have stored\n", running.Grace)
	}
	return err
}
