package usage

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// NewMan returns a command for packagers, which is not listed: it writes a manual page of a section for each command of the program, from
// what --help says.
func NewMan(section string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "man DIR",
		Short:   "Write manual pages into a directory",
		Long:    "Write a manual page for each command into DIR, which is created if it is missing.",
		Args:    ExactArgs("DIR"),
		Hidden:  true,
		Example: "  man ./man",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // to be read by all
			return err
		}
		root := cmd.Root()
		root.DisableAutoGenTag = true // a date would make each build another
		return doc.GenManTree(root, &doc.GenManHeader{Section: section, Source: "Fandogh", Manual: "Fandogh"}, args[0])
	}
	return cmd
}
