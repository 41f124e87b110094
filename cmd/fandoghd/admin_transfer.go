package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newImageTransfer() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "transfer NAMESPACE/IMAGE NAMESPACE", Short: "Give an image to another namespace, with its versions and its repository",
		Long: "Give an image, and all images that are built from its repository, to another namespace: versions, builds, logs, Git LFS objects, the names of deleted\n" +
			"versions, and the image's own webhooks, GitHub connection, secrets and retention rules. Builds that wait go along; while one runs, the transfer is refused.\n" +
			"Members, and what is set for the whole namespace, stay. The namespace's quotas must have room.\n\n" +
			"Nothing is had by the old name any more: pushes and pulls are told the new one. No other image can have the name, until\n" +
			"`fandoghd admin tombstone lift NAMESPACE/IMAGE`; a transfer back takes it again. Files are moved by the daemon: at once, or when it starts.",
		Example: "  fandoghd admin --data data image transfer ali/shop team",
		Args:    usage.ExactArgs("NAMESPACE/IMAGE", "NAMESPACE"),
	}
	cmd.RunE = a.onImage(func(cmd *cobra.Command, image catalog.Image, args []string) error {
		return a.transferImage(cmd, image, args[0], file)
	})
	cmd.Flags().StringVar(&file, "config", os.Getenv(config.EnvPrefix+"CONFIG"), "YAML configuration `file` with the quotas, if no daemon is running")
	return cmd
}

func (a *admin) transferImage(cmd *cobra.Command, image catalog.Image, to, file string) error {
	usual, err := a.usualQuota(file)
	if err != nil {
		return err
	}
	a.store.SetLimits(catalog.Limits{Quota: usual})
	q, closeQuota, err := a.quota(usual)
	if err != nil {
		return err
	}
	defer closeQuota()
	done, err := mayMove(a.data)
	if err != nil {
		return err
	}
	moves, err := transferRows(cmd.Context(), a.store, q, image, to)
	done() // the daemon moves files
	if err != nil {
		return err
	}
	for _, m := range moves {
		fmt.Fprintf(cmd.ErrOrStderr(), "Image %s is %s now.\n", m.From, m.To)
		if err := a.did(cmd, "image transferred", "image", m.From.String(), "to", m.To.String()); err != nil {
			return err
		}
	}
	return a.awaitMoves(cmd)
}

// usualQuota is that of the daemon that runs, or of one that would.
func (a *admin) usualQuota(file string) (catalog.Quota, error) {
	running, err := readAddresses(a.data)
	if err != nil {
		return catalog.Quota{}, err
	}
	if running != nil {
		return running.Quota, nil
	}
	c, err := configuration(file)
	return quotaOf(c.Quota), err
}

const (
	// movesInterval is how often is looked whether the daemon has moved files.
	movesInterval = 100 * time.Millisecond
	// movesWait is how long that is waited for.
	movesWait = time.Minute
)

// awaitMoves waits until the daemon has moved the files of images that were transferred.
func (a *admin) awaitMoves(cmd *cobra.Command) error {
	ctx := cmd.Context()
	for deadline := time.Now().Add(movesWait); ; {
		moves, err := a.store.Moves(ctx)
		switch {
		case err != nil || len(moves) == 0:
			return err
		case !isRunning(a.data):
			fmt.Fprintln(cmd.ErrOrStderr(), "No daemon is running; one moves the files when it starts.")
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("the files of %s are not moved yet; the daemon's log says why, and it tries again", moves[0].To)
		}
		select {
		case <-time.After(movesInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
