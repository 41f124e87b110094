// Package usage says what both programs say of wrong usage.
package usage

import (
	"fmt"

	"github.com/spf13/cobra"
)

// UnknownCommand tells that a command holds none of a name, and which may have been meant.
func UnknownCommand(cmd *cobra.Command, name string) string {
	cmd.SuggestionsMinimumDistance = 2
	text := fmt.Sprintf("unknown command %q for `%s`", name, cmd.CommandPath())
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return fmt.Sprintf("%s; see `%s --help`", text, cmd.CommandPath())
}
