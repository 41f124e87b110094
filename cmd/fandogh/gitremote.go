package main

import (
	"context"
	"os/exec"
	"strings"
)

const remoteName = "fandogh"

// inWorkTree reports whether dir belongs to a git work tree. Without git
// installed nothing does.
func inWorkTree(ctx context.Context, dir string) bool {
	out, err := git(ctx, dir, "rev-parse", "--is-inside-work-tree")
	return err == nil && out == "true"
}

// addRemote makes the remote "fandogh" and says what it did. A remote of that
// name that goes elsewhere is the user's wish and stays.
func (a *app) addRemote(ctx context.Context, dir, address string) error {
	existing, err := git(ctx, dir, "remote", "get-url", remoteName)
	switch {
	case err == nil && existing == address:
		return nil
	case err == nil:
		a.say("The git remote %s already points to %s. To push here: git remote set-url %s %s", remoteName, existing, remoteName, address)
		return nil
	}
	if _, err := git(ctx, dir, "remote", "add", remoteName, address); err != nil {
		return err
	}
	a.say("Added the git remote %s; `git push %s v1.0` publishes the tag v1.0.", remoteName, remoteName)
	return nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}
