package main

import "github.com/spf13/cobra"

func newGitHubCommand(a *app) *cobra.Command {
	return group("github", "Build images from a repository on GitHub",
		`Build images from a repository on GitHub. The tags of a connected repository, and
its branches if you choose, become versions of the image.`,
		`  fandogh github connect acme/shop --image shop
  fandogh github status --image shop`,
		newGitHubConnectCommand(a), newGitHubStatusCommand(a), newGitHubSyncCommand(a), newGitHubDisconnectCommand(a))
}
