package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newQueueList() *cobra.Command {
	var limit int
	cmd := &cobra.Command{Use: "list", Short: "List the builds that run and wait, the next to start first", Args: usage.ExactArgs()}
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		if limit < 1 {
			return usage.Errorf("--limit must be 1 or more")
		}
		state, err := a.store.QueueState(cmd.Context())
		if err != nil {
			return err
		}
		pause, err := a.store.QueuePause(cmd.Context())
		if err != nil {
			return err
		}
		var entries []catalog.QueueEntry
		for after := int64(0); len(entries) < limit; after = entries[len(entries)-1].ID {
			more, err := a.store.ListQueue(cmd.Context(), after, limit-len(entries))
			if err != nil {
				return err
			}
			if len(more) == 0 {
				break
			}
			entries = append(entries, more...)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%d builds run and %d wait; %s.\n", state.Running, state.Waiting, pause)
		rows := [][]string{{"PLACE", "IMAGE", "VERSION", "BUILD", "TRIGGER", "USER", "QUEUED"}}
		for _, e := range entries {
			place := "runs"
			if e.Place > 0 {
				place = strconv.Itoa(e.Place)
			}
			rows = append(rows, []string{place, e.Image.String(), e.Version, strconv.Itoa(e.Number), string(e.Trigger), cmp.Or(e.User, "-"), e.QueuedAt.Format(time.RFC3339)})
		}
		return table(cmd, rows...)
	})
	cmd.Flags().IntVarP(&limit, "limit", "n", 100, "show this `number` of builds at most")
	return cmd
}

func (a *admin) newQueuePause() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "pause", Short: "Let no more builds start",
		Long: "Let no more builds start, until `fandoghd admin queue resume`, also over a restart. Running builds go on. Pushes are accepted, and their\n" +
			"builds wait and say why.",
		Args: usage.ExactArgs(),
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error { return a.pauseQueue(cmd, reason) })
	reasonFlag(cmd, &reason)
	return cmd
}

func (a *admin) pauseQueue(cmd *cobra.Command, reason string) error {
	pause, err := a.store.PauseQueue(cmd.Context(), operator(), reason)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "From now on %s.\n", pause)
	return a.did(cmd, "queue paused", "reason", pause.Reason)
}

func reasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(reason, "reason", "", "why, in one `line`; whose builds wait are told")
}

func (a *admin) newQueueResume() *cobra.Command {
	return &cobra.Command{Use: "resume", Short: "Let builds start again", Args: usage.ExactArgs(), RunE: a.verb(func(cmd *cobra.Command, _ []string) error {
		was, err := a.store.ResumeQueue(cmd.Context())
		if err != nil {
			return err
		}
		if !was.Paused() {
			fmt.Fprintln(cmd.ErrOrStderr(), "The queue was not paused.")
			return nil
		}
		return a.did(cmd, "queue resumed")
	})}
}

func (a *admin) newQueueDrain() *cobra.Command {
	var reason string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "drain", Short: "Pause the queue and wait until no build runs",
		Long: "Pause the queue, unless it is paused, and wait until no build runs, as before a reboot. The queue stays paused until\n" +
			"`fandoghd admin queue resume`, also when --timeout ends the wait.",
		Example: "  fandoghd admin --data data queue drain --reason upgrade --timeout 30m && systemctl restart fandoghd && fandoghd admin --data data queue resume",
		Args:    usage.ExactArgs(),
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		if timeout < 0 {
			return usage.Errorf("--timeout must not be negative")
		}
		pause, err := a.store.QueuePause(cmd.Context())
		if err == nil && (!pause.Paused() || reason != "") {
			err = a.pauseQueue(cmd, reason)
		}
		if err != nil {
			return err
		}
		return a.awaitIdle(cmd, timeout)
	})
	reasonFlag(cmd, &reason)
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "give up waiting after this `duration`, such as 30m (default never)")
	return cmd
}

// drainInterval is how often drain asks what runs.
const drainInterval = time.Second

// awaitIdle waits until no build runs while the queue is paused.
func (a *admin) awaitIdle(cmd *cobra.Command, timeout time.Duration) (err error) {
	ctx, deadline := cmd.Context(), time.Now().Add(timeout)
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: the wait was ended, builds may still run, and the queue stays paused until `fandoghd admin queue resume`", err)
		}
	}()
	for said := -1; ; {
		pause, err := a.store.QueuePause(ctx)
		if err != nil {
			return err
		}
		state, err := a.store.QueueState(ctx)
		if err != nil {
			return err
		}
		switch {
		case !pause.Paused():
			return errors.New("the queue was resumed by another administrator; builds start again")
		case state.Running == 0:
			fmt.Fprintf(cmd.ErrOrStderr(), "No build runs; %d wait, and %s.\n", state.Waiting, pause)
			return nil
		case !isRunning(a.data):
			fmt.Fprintf(cmd.ErrOrStderr(), "No daemon is running; the %d builds that it was at wait again when one starts, and %s.\n", state.Running, pause)
			return nil
		case timeout > 0 && time.Now().After(deadline):
			return fmt.Errorf("%d builds still run after %s; the queue stays paused", state.Running, timeout)
		case state.Running != said:
			said = state.Running
			fmt.Fprintf(cmd.ErrOrStderr(), "Waiting for %d builds to end.\n", said)
		}
		select {
		case <-time.After(drainInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
