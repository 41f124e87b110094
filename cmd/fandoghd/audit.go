package main

import (
	"context"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/periodic"
)

// did leaves a line for the audit log, which the daemon writes. about is keys and values.
func (a *admin) did(cmd *cobra.Command, what string, about ...string) error {
	on := map[string]string{}
	for pair := range slices.Chunk(about, 2) {
		on[pair[0]] = pair[1]
	}
	return a.store.AddAuditLine(cmd.Context(), catalog.AuditLine{By: operator(), What: what, On: on})
}

// operator is who is at the shell, and not root when it is known who became root.
func operator() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(os.Getuid())
}

// lookInterval is how soon the daemon sees what was done beside it.
const lookInterval = 2 * time.Second

// watchAdmin writes what the admin verbs do to the audit log, and removes what they deleted.
func (d *daemon) watchAdmin(ctx context.Context) error {
	look := func(ctx context.Context) {
		if err := d.takeAuditLines(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("failed to read what admin commands did", "error", err)
		}
	}
	look(ctx)
	periodic.Run(ctx, lookInterval, look)
	return nil
}

func (d *daemon) takeAuditLines(ctx context.Context) error {
	lines, err := d.store.AuditLines(ctx)
	if err != nil || len(lines) == 0 {
		return err
	}
	log := d.log.ResetNamed("audit")
	log.SetLevel(hclog.Info) // whatever else is logged
	for _, l := range lines {
		about := []any{"via", "admin", "user", l.By, "from", "local", "at", l.At.Format(time.RFC3339)}
		for _, key := range slices.Sorted(maps.Keys(l.On)) {
			about = append(about, key, l.On[key])
		}
		log.Info(l.What, about...)
	}
	if err := d.store.DropAuditLines(ctx, lines[len(lines)-1].ID); err != nil {
		return err
	}
	d.remover.Remove(ctx)
	return nil
}
