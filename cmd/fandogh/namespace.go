package main

import (
	"github.com/spf13/cobra"
)

var roles = []string{"read", "write", "admin"}

func newNamespaceCommand(a *app) *cobra.Command {
	return group("namespace", "Share images with others in namespaces",
		`Share images with others in namespaces. You have one of your own name; others you
make, or are made a member of. A member with the role read may look and pull,
with write also publish, and an admin may delete and say who is a member.`,
		`  fandogh namespace create team
  fandogh namespace grant team ali write
  fandogh namespace use team`,
		newNamespaceCreateCommand(a), newNamespaceListCommand(a), newNamespaceMembersCommand(a),
		newNamespaceGrantCommand(a), newNamespaceRevokeCommand(a), newNamespaceUseCommand(a))
}
