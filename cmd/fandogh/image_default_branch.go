package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type defaultBranchOptions struct {
	versionFlags
	branch string
}

func newImageDefaultBranchCommand(a *app) *cobra.Command {
	var o defaultBranchOptions
	cmd := &cobra.Command{
		Use:   "default-branch",
		Short: "Show or set the default branch",
		Long: `Show the branch that git clone checks out, or set it with --branch. Until it is
set, it is main, else master, else the branch that was pushed first.
A branch that does not exist yet becomes the default when it is pushed. The default
branch can't be deleted by a push.`,
		Example: `  fandogh image default-branch --image shop
  fandogh image default-branch --image shop --branch develop`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("branch") && o.branch == "" {
				return usage.Errorf("--branch is empty; omit it to show the default branch")
			}
			return runImageDefaultBranch(cmd.Context(), a, o)
		},
	}
	o.addImage(cmd, a)
	cmd.Flags().StringVarP(&o.branch, "branch", "b", "", "`branch` to make the default")
	return cmd
}

func runImageDefaultBranch(ctx context.Context, a *app, o defaultBranchOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fillImage(ctx, a); err != nil {
		return err
	}
	var d api.DefaultBranch
	if o.branch == "" {
		d, err = c.DefaultBranch(ctx, o.image)
	} else {
		d, err = c.SetDefaultBranch(ctx, o.image, o.branch)
	}
	if err != nil {
		return err
	}
	if a.Persian() {
		d.Message = a.Speaker.DefaultBranch(o.image, d.Branch, d.Awaited, d.Exists)
	}
	row(a.out, d.Message)
	return nil
}
