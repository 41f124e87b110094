// Package usage says what both programs say of wrong usage.
package usage

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/language"
)

// Error is what the caller typed wrong, or didn't type.
type Error struct{ Err error }

// Error implements error.
func (e Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e Error) Unwrap() error { return e.Err }

// Errorf is language.Errorf for an Error.
func Errorf(format string, args ...any) error { return Error{language.Errorf(format, args...)} }

// OfFlag is for cobra.Command.SetFlagErrorFunc.
func OfFlag(cmd *cobra.Command, err error) error {
	return Errorf("%w; see `%s --help`", err, cmd.CommandPath())
}

// Group has a command hold others, and do nothing else but help. It returns the command.
func Group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs // what is no command reaches RunE and is told so
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownCommand(cmd, args[0])
	}
	cmd.AddCommand(children...)
	return cmd
}

// unknownCommand tells that a command holds none of a name, and which may have been meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	if all := cmd.SuggestionsFor(name); len(all) > 0 {
		return Errorf("unknown command %q for `%s`; did you mean %q?; see `%s --help`", name, cmd.CommandPath(), all[0], cmd.CommandPath())
	}
	return Errorf("unknown command %q for `%s`; see `%s --help`", name, cmd.CommandPath(), cmd.CommandPath())
}

// OptionalArg accepts one argument, which may be left out.
func OptionalArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return ExactArgs(name)(cmd, args)
	}
}

// ExactArgs is cobra.ExactArgs that names what is wanted.
func ExactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return Errorf("`%s` does not accept the argument %q; see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())
		}
		return Errorf("`%s` accepts only %s; usage: %s", cmd.CommandPath(), strings.Join(names, " and "), cmd.UseLine())
	}
}
