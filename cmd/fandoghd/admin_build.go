package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// onVersion wraps the work of a verb whose arguments are an image and a version.
func (a *admin) onVersion(work func(cmd *cobra.Command, image catalog.Image, v catalog.Version) error) func(*cobra.Command, []string) error {
	return a.onImage(func(cmd *cobra.Command, image catalog.Image, args []string) error {
		v, err := a.store.Version(cmd.Context(), image.ID, args[0])
		if err != nil {
			return err
		}
		return work(cmd, image, v)
	})
}

var versionArgs = usage.ExactArgs("NAMESPACE/IMAGE", "VERSION")

func (a *admin) newBuildList() *cobra.Command {
	return &cobra.Command{Use: "list NAMESPACE/IMAGE VERSION", Short: "List the builds of a version, newest first", Args: versionArgs,
		RunE: a.onVersion(func(cmd *cobra.Command, _ catalog.Image, v catalog.Version) error {
			rows := [][]string{{"BUILD", "STATE", "OUTCOME", "TRIGGER", "COMMIT", "QUEUED", "DURATION", "MESSAGE"}}
			err := a.eachBuild(cmd.Context(), v, func(b catalog.Build) bool {
				rows = append(rows, []string{
					strconv.Itoa(b.Number), string(b.State), cmp.Or(string(b.Outcome), "-"), string(b.Trigger), cmp.Or(shortCommit(b.Commit), "-"),
					b.QueuedAt.Format(time.RFC3339), durationOf(b), cmp.Or(b.Message, "-"),
				})
				return true
			})
			if err != nil {
				return err
			}
			return table(cmd, rows...)
		})}
}

// eachBuild visits the builds of a version, newest first, as long as visit wants more.
func (a *admin) eachBuild(ctx context.Context, v catalog.Version, visit func(catalog.Build) (more bool)) error {
	for page := (catalog.Page{}); ; {
		builds, err := a.store.ListBuilds(ctx, v.ID, page)
		if err != nil || len(builds) == 0 {
			return err
		}
		for _, b := range builds {
			if page.Before = b.ID; !visit(b) {
				return nil
			}
		}
	}
}

func shortCommit(commit string) string { return commit[:min(len(commit), 12)] }

func durationOf(b catalog.Build) string {
	if b.StartedAt.IsZero() || b.EndedAt.IsZero() {
		return "-"
	}
	return b.EndedAt.Sub(b.StartedAt).Round(time.Millisecond).String()
}

// numberFlag names one of a version's builds.
func numberFlag(cmd *cobra.Command, number *int) {
	cmd.Flags().IntVar(number, "build", 0, "`number` of the build (default the newest)")
}

// buildOf returns a version's build of a number, the newest for 0. Errors: NotFound.
func (a *admin) buildOf(ctx context.Context, v catalog.Version, number int) (found catalog.Build, err error) {
	if number < 0 {
		return found, usage.Errorf("--build must be 1 or more")
	}
	if number == 0 {
		return catalog.NewestBuild(ctx, a.store, v)
	}
	err = a.eachBuild(ctx, v, func(b catalog.Build) bool {
		if b.Number == number {
			found = b
		}
		return b.Number > number
	})
	if err == nil && found.ID == 0 {
		err = catalog.Errorf(catalog.NotFound, "version %q has no build %d", v.Name, number)
	}
	return found, err
}

func (a *admin) newBuildShow() *cobra.Command {
	var number int
	cmd := &cobra.Command{Use: "show NAMESPACE/IMAGE VERSION", Short: "Show a build of a version, with its steps", Args: versionArgs}
	cmd.RunE = a.onVersion(func(cmd *cobra.Command, _ catalog.Image, v catalog.Version) error {
		b, err := a.buildOf(cmd.Context(), v, number)
		if err != nil {
			return err
		}
		steps, err := a.store.Steps(cmd.Context(), b.ID)
		if err != nil {
			return err
		}
		rows := [][]string{
			{"BUILD", fmt.Sprintf("%d of %s:%s", b.Number, b.Image, b.Version)}, {"LOG", filepath.Base(builder.LogPath("", b.ID))}, {"STATE", string(b.State)},
			{"OUTCOME", cmp.Or(string(b.Outcome), "-")}, {"MESSAGE", cmp.Or(b.Message, "-")}, {"TRIGGER", string(b.Trigger)}, {"TAG", b.Tag}, {"COMMIT", cmp.Or(b.Commit, "-")},
			{"ATTEMPTS", strconv.Itoa(b.Attempts)}, {"QUEUED", b.QueuedAt.Format(time.RFC3339)}, {"DURATION", durationOf(b)},
		}
		if b.Cancelled {
			rows = append(rows, []string{"CANCELLED", "yes"})
		}
		for _, s := range steps {
			rows = append(rows, []string{"STEP", stepText(s)})
		}
		return table(cmd, rows...)
	})
	numberFlag(cmd, &number)
	return cmd
}

func stepText(s catalog.Step) string {
	text := s.Name
	switch {
	case s.Error != "":
		text += ": " + s.Error
	case s.Cached:
		text += " (from the cache)"
	case s.StartedAt.IsZero():
		text += " (not started)"
	case !s.EndedAt.IsZero():
		text += " in " + s.EndedAt.Sub(s.StartedAt).Round(time.Millisecond).String()
	}
	return strings.Join(strings.Fields(text), " ")
}

func (a *admin) newBuildLog() *cobra.Command {
	var number int
	cmd := &cobra.Command{Use: "log NAMESPACE/IMAGE VERSION", Short: "Print what a build of a version has logged by now", Args: versionArgs}
	cmd.RunE = a.onVersion(func(cmd *cobra.Command, _ catalog.Image, v catalog.Version) error {
		b, err := a.buildOf(cmd.Context(), v, number)
		if err == nil {
			err = b.CheckLog()
		}
		if err != nil {
			return err
		}
		return builder.ReadLogFile(cmd.Context(), filepath.Join(a.data, "logs"), b.ID, func(lines []catalog.LogLine) error {
			for _, l := range lines {
				if _, err := io.WriteString(cmd.OutOrStdout(), l.Text+"\n"); err != nil {
					return err
				}
			}
			return nil
		})
	})
	numberFlag(cmd, &number)
	return cmd
}

func (a *admin) newBuildCancel() *cobra.Command {
	return &cobra.Command{
		Use: "cancel NAMESPACE/IMAGE VERSION", Short: "Cancel the build of a version that waits or runs",
		Long: "Cancel the build of a version that waits or runs. The daemon ends it within some seconds, or when it starts.", Args: versionArgs,
		RunE: a.onVersion(func(cmd *cobra.Command, image catalog.Image, v catalog.Version) error {
			b, err := catalog.NewestBuild(cmd.Context(), a.store, v)
			if err == nil {
				err = a.store.AskToCancel(cmd.Context(), b.ID)
			}
			if err != nil {
				return err
			}
			return a.did(cmd, "build cancelled", "image", image.Ref.String(), "version", v.Name, "build", strconv.Itoa(b.Number))
		})}
}

func (a *admin) newBuildRebuild() *cobra.Command {
	var options []string
	cmd := &cobra.Command{
		Use: "rebuild NAMESPACE/IMAGE VERSION", Short: "Build a version that failed again, from the same commit",
		Long: "Queue another build of a version that was not built, from the same commit and with the options of the last one, but for those given by --option, as git push -o has them. The daemon builds it, now or when it starts.", Args: versionArgs,
		RunE: a.onVersion(func(cmd *cobra.Command, image catalog.Image, v catalog.Version) error {
			if err := v.CheckRebuild(); err != nil {
				return err
			}
			last, err := catalog.NewestBuild(cmd.Context(), a.store, v)
			if err != nil {
				return err
			}
			again, err := last.Again(0, options)
			if err != nil {
				return err
			}
			again.Signature = last.Signature // of the same tag object; whether its signer may is asked anew
			queued, err := a.store.QueueBuilds(cmd.Context(), []catalog.NewBuild{again})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Queued build %d of %s:%s.\n", queued[0].Number, image.Ref, v.Name)
			return a.did(cmd, "rebuild requested", "image", image.Ref.String(), "version", v.Name, "build", strconv.Itoa(queued[0].Number))
		})}
	cmd.Flags().StringArrayVar(&options, "option", nil, "change this `option` of the last build; may be repeated")
	return cmd
}
