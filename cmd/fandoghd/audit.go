package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/periodic"
	"github.com/fandoghpaas/fandogh/internal/usage"
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

// watchAdmin does what is left to do of what the admin verbs do, and of what they did while no daemon ran.
func (d *daemon) watchAdmin(ctx context.Context) error {
	d.endBeside(ctx)
	periodic.Run(ctx, lookInterval, func(ctx context.Context) {
		if err := d.audit.flush(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("failed to read what admin commands did", "error", err)
		}
		if d.audit.beside.Swap(false) {
			d.endBeside(ctx)
		}
	})
	return nil
}

// endBeside ends what admin verbs began.
func (d *daemon) endBeside(ctx context.Context) {
	d.remover.Remove(ctx)
	d.endCancelled(ctx)
	d.builder.Wake() // the queue may have been resumed
}

// endCancelled ends the builds that an admin verb marked as cancelled.
func (d *daemon) endCancelled(ctx context.Context) {
	ids, err := d.store.CancelledBuilds(ctx)
	if err != nil && ctx.Err() == nil {
		d.log.Error("failed to look up cancelled builds", "error", err)
	}
	for _, id := range ids {
		if err := d.builder.Cancel(ctx, id); err != nil && catalog.CodeOf(err) != catalog.Conflict && ctx.Err() == nil {
			d.log.Error("failed to cancel a build", "build", id, "error", err)
		}
	}
}

const (
	auditLogger = "audit"
	// auditPause is how long lines wait for others, to be stored with them.
	auditPause = 100 * time.Millisecond
	// maxAuditWaiting bounds the lines that wait while the store does not take them; all are in the daemon's log.
	maxAuditWaiting = 100_000
)

// auditKeeper has what goes to the audit log stored, too, but for logins. It is a sink of the daemon's logger.
type auditKeeper struct {
	keep   func(ctx context.Context, lines func() []catalog.AuditLine) (waited []catalog.AuditLine, err error)
	log    hclog.Logger
	beside atomic.Bool // an admin verb did something

	flushing sync.Mutex

	mu      sync.Mutex
	waiting []catalog.AuditLine
	left    int // lines that were not taken, as too many wait
	woken   chan struct{}
}

func newAuditKeeper(log hclog.Logger) *auditKeeper {
	return &auditKeeper{log: log, woken: make(chan struct{}, 1)}
}

// Accept implements hclog.SinkAdapter.
func (k *auditKeeper) Accept(name string, _ hclog.Level, what string, about ...any) {
	if name != auditLogger || strings.HasPrefix(what, "login") {
		return
	}
	k.mu.Lock()
	line, isKept := auditLine(what, about) // whose time is that of its turn
	if isKept {
		k.mu.Unlock()
		return
	}
	if len(k.waiting) < maxAuditWaiting {
		k.waiting = append(k.waiting, line)
	} else {
		k.left++
	}
	k.mu.Unlock()
	select {
	case k.woken <- struct{}{}:
	default:
	}
}

// auditLine reads what a logger was given. What an admin verb did is kept before it is logged.
func auditLine(what string, about []any) (l catalog.AuditLine, isKept bool) {
	l = catalog.AuditLine{At: time.Now(), What: what, On: map[string]string{}}
	for pair := range slices.Chunk(about, 2) {
		if len(pair) < 2 {
			break
		}
		key, value := fmt.Sprint(pair[0]), fmt.Sprint(pair[1])
		switch key {
		case "via":
			l.Via = value
		case "user":
			l.By = value
		case "from":
			l.From = value
		case "at":
			isKept = true
		default:
			l.On[key] = value
		}
	}
	return l, isKept
}

// run stores what comes until ctx ends.
func (k *auditKeeper) run(ctx context.Context) error {
	var retry <-chan time.Time
	for {
		select {
		case <-k.woken:
		case <-retry:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-time.After(auditPause):
		case <-ctx.Done():
			return nil
		}
		retry = nil
		if err := k.flush(ctx); err != nil && ctx.Err() == nil {
			k.log.Error("failed to store lines of the audit log; it is retried", "error", err)
			retry = time.After(lookInterval)
		}
	}
}

// flush stores what waits, here and of the admin verbs, and logs the latter.
func (k *auditKeeper) flush(ctx context.Context) error {
	k.flushing.Lock()
	defer k.flushing.Unlock()
	var lines []catalog.AuditLine
	var left int
	waited, err := k.keep(ctx, func() []catalog.AuditLine {
		k.mu.Lock()
		defer k.mu.Unlock()
		lines, left = k.waiting, k.left
		return lines
	})
	if left > 0 {
		k.log.Error("lines of the audit log were not stored; they are in this log alone", "lines", left)
	}
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.waiting, k.left = k.waiting[len(lines):], k.left-left
	k.mu.Unlock()
	if len(waited) == 0 {
		return nil
	}
	k.beside.Store(true)
	log := k.log.ResetNamed(auditLogger)
	log.SetLevel(hclog.Info) // whatever else is logged
	for _, l := range waited {
		about := []any{"via", l.Via, "user", l.By, "from", l.From, "at", l.At.Format(time.RFC3339)}
		for _, key := range slices.Sorted(maps.Keys(l.On)) {
			about = append(about, key, l.On[key])
		}
		log.Info(l.What, about...)
	}
	return nil
}

// pruneAudit forgets old lines of the audit log.
func (d *daemon) pruneAudit(ctx context.Context) error {
	prune := func(ctx context.Context) {
		kept := d.reloaded.Load().Log.AuditKeep.Std()
		if kept == 0 {
			return
		}
		if err := d.store.PruneAudit(ctx, time.Now().Add(-kept)); err != nil && ctx.Err() == nil {
			d.log.Error("failed to delete old lines of the audit log", "error", err)
		}
	}
	prune(ctx)
	periodic.Run(ctx, time.Hour, prune)
	return nil
}

// newAudit lists the audit log.
func (a *admin) newAudit() *cobra.Command {
	var f catalog.AuditFilter
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what users and administrators changed, newest first",
		Long: "List what users and administrators changed, newest first: when, by whom, through which interface and from where.\n" +
			"Logins are in the daemon's log alone.",
		Example: "  fandoghd admin --data data audit --user ali --since 24h\n  fandoghd admin --data data audit --image team/shop --limit 1000",
		Args:    usage.ExactArgs(),
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		if f.Page.Limit < 1 {
			return usage.Errorf("--limit must be 1 or more")
		}
		if since > 0 {
			f.Since = time.Now().Add(-since)
		}
		rows := [][]string{{"AT", "USER", "VIA", "FROM", "WHAT", "ABOUT"}}
		for left := f.Page.Limit; left > 0; {
			f.Page.Limit = left
			lines, err := a.store.ListAudit(cmd.Context(), f)
			if err != nil {
				return err
			}
			for _, l := range lines {
				rows = append(rows, []string{l.At.Format(time.RFC3339), l.By, l.Via, l.From, l.What, aboutOf(l)})
				f.Page.Before = l.ID
			}
			if len(lines) == 0 {
				break
			}
			left -= len(lines)
		}
		return table(cmd, rows...)
	})
	flags := cmd.Flags()
	flags.StringVar(&f.By, "user", "", "only what this `user` did")
	flags.StringVar(&f.Via, "via", "", "only what was done through this `interface`: web, rest, ssh, registry, lfs, github or admin")
	flags.StringVar(&f.Image, "image", "", "only what was done to this image, as `namespace/name`")
	flags.DurationVar(&since, "since", 0, "only what was done within this `duration`, such as 24h")
	flags.IntVarP(&f.Page.Limit, "limit", "n", 100, "show this `number` of lines at most")
	return cmd
}

// aboutOf says what a line of the audit log is about.
func aboutOf(l catalog.AuditLine) string {
	var about []string
	for _, key := range slices.Sorted(maps.Keys(l.On)) {
		about = append(about, key+"="+l.On[key])
	}
	return strings.Join(about, " ")
}
