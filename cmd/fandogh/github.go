package main

import "github.com/spf13/cobra"

func newGitHubCommand(a *app) *cobra.Command {
	return group("github", "Build what is pushed to a repository on GitHub",
		`Build what is pushed to a repository on GitHub. A connected repository's tags, and
its branches if you like, become versions of the image.`,
		`  fandogh github connect acme/shop --image shop
  fandogh github status --image shop`,
		newGitHubConnectCommand(a), newGitHubStatusCommand(a), newGitHubSyncCommand(a), newGitHubDisconnectCommand(a))
}
