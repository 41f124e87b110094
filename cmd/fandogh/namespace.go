package main

import "github.com/spf13/cobra"

var roles = []string{"read", "write", "admin"}

func newNamespaceCommand(a *app) *cobra.Command {
	return group("namespace", "Share images with others in namespaces",
		`Share images with others in namespaces. You have a namespace of your own name; you can
create others or become a member of them. A member with the role read can view and
pull, with write also publish, and an admin can also delete and manage members.`,
		`  fandogh namespace create team
  fandogh namespace grant team ali write
  fandogh namespace use team`,
		newNamespaceCreateCommand(a), newNamespaceListCommand(a), newNamespaceMembersCommand(a), newNamespaceLimitsCommand(a),
		newNamespaceGrantCommand(a), newNamespaceRevokeCommand(a), newNamespaceDeleteCommand(a), newNamespaceUseCommand(a))
}
