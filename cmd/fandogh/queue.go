package main

import (
	"cmp"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newQueueCommand(a *app) *cobra.Command {
	return group("queue", "Manage the build queue of the server",
		`Manage the build queue of the server. These commands are for administrators.

While the queue is paused no build starts: running builds end, pushes are accepted, and
their builds wait and say why. The pause lasts until it is resumed, also over a restart
of the server.`,
		`  fandogh queue list
  fandogh queue drain --reason upgrade
  fandogh queue resume`,
		newQueueListCommand(a), newQueuePauseCommand(a), newQueueResumeCommand(a), newQueueDrainCommand(a))
}

func newQueueListCommand(a *app) *cobra.Command {
	var out output
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the builds that run and wait",
		Long: `List the builds that run and then those that wait, the next to start first, of all
namespaces.`,
		Example: `  fandogh queue list
  fandogh queue list --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runQueueList(cmd, a, limit, out) },
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 100, "show this `number` of builds at most")
	out.addFlag(cmd)
	return cmd
}

func runQueueList(cmd *cobra.Command, a *app, limit int, out output) error {
	if limit < 1 {
		return usage.Errorf("--limit must be 1 or more")
	}
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	queue, err := c.Queue(cmd.Context(), limit)
	if err != nil {
		return err
	}
	a.say("%d builds run and %d wait; %s.", queue.Running, queue.Waiting, a.pauseText(queue.Pause))
	return out.show(a, queue, func(w *table) {
		w.heads("PLACE", "IMAGE", "VERSION", "BUILD", "TRIGGER", "USER", "QUEUED")
		for _, b := range queue.Builds {
			place := a.Text("runs")
			if b.Place > 0 {
				place = a.count(b.Place)
			}
			row(w, place, b.Namespace+"/"+b.Image, b.Version, a.count(b.Number), a.Name(language.Triggers, b.Trigger), cmp.Or(b.User, "-"), w.time(b.QueuedAt))
		}
	})
}

// pauseText is a sentence without its stop.
func (a *app) pauseText(p *api.QueuePause) string {
	if p == nil {
		return a.Text("the queue is not paused")
	}
	text := a.Text("the queue is paused by %s since %s", plain(p.By), a.time(p.Since))
	if p.Reason != "" {
		text += ": " + plain(p.Reason)
	}
	return text
}

func newQueuePauseCommand(a *app) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "pause",
		Short: "Let no more builds start",
		Long: `Let no more builds start, until "fandogh queue resume". Running builds go on. Pushes are
accepted, and their builds wait and say why.`,
		Example: `  fandogh queue pause --reason maintenance`,
		Args:    usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			pause, err := c.PauseQueue(cmd.Context(), reason)
			if err == nil {
				a.say("From now on %s.", a.pauseText(&pause))
			}
			return err
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}

func reasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(reason, "reason", "", "why, in one `line`; whose builds wait are told")
}

func newQueueResumeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "resume",
		Short:   "Let builds start again",
		Long:    `Let builds start again. Of a queue that is not paused this changes nothing.`,
		Example: `  fandogh queue resume`,
		Args:    usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.ResumeQueue(cmd.Context()); err != nil {
				return err
			}
			a.say("Builds start again.")
			return nil
		},
	}
}

func newQueueDrainCommand(a *app) *cobra.Command {
	var reason string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Pause the queue and wait until no build runs",
		Long: `Pause the queue, unless it is paused, and wait until no build runs, as before a reboot.
The queue stays paused until "fandogh queue resume", also when --timeout ends the wait.`,
		Example: `  fandogh queue drain --reason upgrade --timeout 30m`,
		Args:    usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if timeout < 0 {
				return usage.Errorf("--timeout must not be negative")
			}
			return runQueueDrain(cmd, a, reason, timeout)
		},
	}
	reasonFlag(cmd, &reason)
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "give up waiting after this `duration`, such as 30m (default never)")
	return cmd
}

// drainInterval is how often drain asks what runs.
const drainInterval = time.Second

func runQueueDrain(cmd *cobra.Command, a *app, reason string, timeout time.Duration) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	queue, err := c.Queue(ctx, 1)
	if err != nil {
		return err
	}
	if queue.Pause == nil || reason != "" {
		if _, err := c.PauseQueue(ctx, reason); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(timeout)
	for said := -1; ; {
		if queue, err = c.Queue(ctx, 1); err != nil {
			return err
		}
		switch {
		case queue.Pause == nil:
			return language.Errorf("the queue was resumed by another administrator; builds start again")
		case queue.Running == 0:
			a.say("No build runs; %d wait, and %s.", queue.Waiting, a.pauseText(queue.Pause))
			return nil
		case timeout > 0 && time.Now().After(deadline):
			return language.Errorf("%d builds still run after %s; the queue stays paused", queue.Running, timeout)
		case queue.Running != said:
			said = queue.Running
			a.say("Waiting for %d builds to end.", said)
		}
		select {
		case <-time.After(drainInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
