package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newCheck() *cobra.Command {
	var repair bool
	var from string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that everything in the data directory is there and undamaged",
		Long: "Read the whole data directory and list what is wrong with it: versions whose manifest, blobs, signatures or provenance are missing or damaged, refs and versions whose git\n" +
			"objects are missing, damaged packs, missing contents of Git LFS objects, missing keys, builds that nothing will begin, while no daemon runs tags without a version, and faults of the database. It\n" +
			"changes nothing and runs beside the daemon; until it ends, nothing is removed permanently. Notes on standard error tell of work that is left to the daemon.\n\n" +
			"With --repair, for which the daemon must be stopped, it mends what can be mended without losing anything: tags of built versions, indexes of git\n" +
			"packs, HEAD, packed-refs with unreadable lines, links and referrers of the registry, needed blobs that are in the trash, modes of keys, and rows\n" +
			"and the queue of the database; with --from also missing or damaged layers, manifests, packs, Git LFS contents and keys, from a backup. Of each fault it says what was done, or what is to be done. Nothing that users stored is deleted.\n\n" +
			"Exit status: 0 nothing is wrong, or no longer, 1 something is, 2 usage error.",
		Example: "  fandoghd admin --data data check\n  systemctl stop fandoghd && fandoghd admin --data /var/lib/fandogh check --repair --from /backup/fandogh",
		Args:    usage.ExactArgs(),
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		if from != "" && !repair {
			return usage.Errorf("--from is for --repair")
		}
		if repair {
			lock, err := lockDirectory(a.data)
			if errors.Is(err, unix.EWOULDBLOCK) {
				return fmt.Errorf("fandoghd is running on %s; stop it before --repair. Without --repair the check runs beside it", a.data)
			}
			if err != nil {
				return dataFault(err)
			}
			defer lock.Close() //nolint:errcheck // it was not written
		}
		release, err := a.hold(cmd)
		if err != nil {
			return err
		}
		defer release()
		if repair {
			return a.repair(cmd, from)
		}
		c := newChecker(a.data, a.store, func(f catalog.Fault) { fmt.Fprintln(cmd.OutOrStdout(), f.What) })
		if err := c.run(cmd.Context()); err != nil {
			return err
		}
		if err := c.notes(cmd.Context(), cmd.ErrOrStderr()); err != nil {
			return err
		}
		if c.problems > 0 {
			return fmt.Errorf("%d problems were found in %s", c.problems, a.data)
		}
		c.sayWhole(cmd)
		return nil
	})
	cmd.Flags().BoolVar(&repair, "repair", false, "mend what can be mended; the daemon must be stopped")
	cmd.Flags().StringVar(&from, "from", "", "with --repair, take missing and damaged files from the newest backup in this `directory`")
	return cmd
}

// notEmpty says by an error that a file has no content.
func notEmpty(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() == 0 {
		err = fmt.Errorf("%s is empty, too", path)
	}
	return err
}

func (c *checker) sayWhole(cmd *cobra.Command) {
	fmt.Fprintf(cmd.ErrOrStderr(), "Nothing is wrong with %d images and %d versions.\n", c.images, c.versions)
}

// checker looks at all of a data directory.
type checker struct {
	data  string
	store *sqlite.Store
	repos *repository.Repositories
	take  func(catalog.Fault)
	// beside a daemon that runs
	beside bool

	images, versions, problems int
}

func newChecker(data string, store *sqlite.Store, take func(catalog.Fault)) *checker {
	return &checker{data: data, store: store, repos: repository.OpenToRead(filepath.Join(data, "repos")), take: take, beside: isRunning(data)}
}

func (c *checker) report(f catalog.Fault) {
	c.problems++
	c.take(f)
}

// run looks for problems. Nothing may be removed meanwhile.
func (c *checker) run(ctx context.Context) error {
	faults, err := c.store.Check(ctx)
	for _, f := range faults {
		f.What = "database: " + f.What
		c.report(f)
	}
	if err != nil {
		return err
	}
	c.keys()
	if err := c.repositories(ctx); err != nil {
		return err
	}
	if err := c.strays(ctx); err != nil {
		return err
	}
	return registry.Check(ctx, filepath.Join(c.data, "registry"), c.store, c.report)
}

// keys looks for the keys that a daemon would make anew, as nothing fits them then.
func (c *checker) keys() {
	for _, key := range [][2]string{
		{secretsKey, "the stored secrets can't be read without it"},
		{"ssh_host_ed25519_key", "SSH clients refuse another one"},
	} {
		path, why := filepath.Join(c.data, key[0]), key[1]
		fault := catalog.Fault{File: path, Whole: notEmpty, Advice: "restore " + path + " from a backup"}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			fault.What = fmt.Sprintf("the key can't be read: %v; %s", err, why)
		case info.Size() == 0:
			fault.What = fmt.Sprintf("%s is empty; %s", path, why)
		case info.Mode().Perm()&0o077 != 0:
			fault.What = fmt.Sprintf("%s has mode %04o; it must be 0600, for no other user may read it", path, info.Mode().Perm())
			fault.Mend = func(context.Context) (string, error) { return "its mode is 0600 now", os.Chmod(path, 0o600) }
		default:
			continue
		}
		c.report(fault)
	}
}

// repositories looks at each repository with the versions of all images that are built from it.
func (c *checker) repositories(ctx context.Context) error {
	versions := map[int64][]repository.VersionOf{} // by the image that has the repository
	var sources []catalog.Image
	err := catalog.EachImage(ctx, c.store, "", func(image catalog.Image) error {
		c.images++
		if image.SourceID == image.ID {
			sources = append(sources, image)
		}
		return catalog.EachVersion(ctx, c.store, image.ID, func(v catalog.Version) error {
			c.versions++
			versions[image.SourceID] = append(versions[image.SourceID], repository.VersionOf{Version: v, Image: image.Ref, TagObject: func(ctx context.Context) (string, error) {
				build, err := catalog.NewestBuild(ctx, c.store, v)
				return build.TagObject, err
			}})
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, source := range sources {
		report := func(f catalog.Fault) {
			f.What = source.Ref.String() + ": " + f.What
			c.report(f)
		}
		err := c.repos.Check(ctx, source.Ref, versions[source.ID], report)
		if err == nil && !c.beside { // there a daemon that may be a push under way, and at its start it has looked
			err = c.tags(ctx, source, report)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tags looks for those of which a push that was cut short has made no version.
func (c *checker) tags(ctx context.Context, source catalog.Image, report func(catalog.Fault)) error {
	if leaves, err := c.leaves(ctx, source.Ref); leaves || err != nil {
		return err
	}
	tags, _ := c.repos.Tags(ctx, source.Ref) // of refs that can't be read the faults are told
	for _, tag := range tags {
		if tag.Stored {
			continue
		}
		versions, err := c.store.TagVersions(ctx, source.ID, tag.Name)
		if err != nil {
			return err
		}
		if len(versions) == 0 {
			report(catalog.Fault{What: fmt.Sprintf("tag %s has no version", tag.Name), Advice: "start the daemon, which has it built, or says in its log why it can't be"})
		}
	}
	return nil
}

// strays looks for repositories without an image.
func (c *checker) strays(ctx context.Context) error {
	found, err := c.repos.Repositories(ctx)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, ref := range found {
		// An image is there before its repository is.
		if _, err := c.store.Image(ctx, ref); err == nil {
			continue
		} else if catalog.CodeOf(err) != catalog.NotFound {
			return err
		}
		leaves, err := c.leaves(ctx, ref)
		if err != nil {
			return err
		}
		if !leaves {
			c.report(catalog.Fault{What: ref.String() + ": there is a git repository, and no such image; the next start of the daemon sets it aside", Mend: func(ctx context.Context) (string, error) {
				to, err := c.repos.SetAside(ctx, ref)
				return "it was moved to " + to, err
			}})
		}
	}
	return nil
}

// leaves reports whether an image was deleted whose files are still to be removed. Ask after it was not found: it may be deleted meanwhile.
func (c *checker) leaves(ctx context.Context, ref catalog.ImageRef) (bool, error) {
	removals, err := c.store.Removals(ctx)
	return slices.ContainsFunc(removals, func(r catalog.Removal) bool { return r.Image.Repository() == ref.Repository() }), err
}

// notes tell of what is left to the daemon.
func (c *checker) notes(ctx context.Context, w io.Writer) error {
	removals, err := c.store.Removals(ctx)
	if err != nil {
		return err
	}
	for _, r := range removals {
		what := r.Image.String()
		if r.Version != "" {
			what += ":" + r.Version
		}
		fmt.Fprintf(w, "note: %s was deleted, and its files are still to be removed\n", what)
	}
	queue, err := c.store.QueueState(ctx)
	if err == nil && queue.Waiting > 0 {
		fmt.Fprintf(w, "note: %d builds wait, the oldest since %s\n", queue.Waiting, queue.Oldest.Format(time.RFC3339))
	}
	if err != nil {
		return err
	}
	pause, err := c.store.QueuePause(ctx)
	if pause.Paused() {
		fmt.Fprintf(w, "note: %s\n", pause)
	}
	return err
}
