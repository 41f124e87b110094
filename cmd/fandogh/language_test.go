package main

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/language/langtest"
)

// saying are the functions that say a text, by their names, with the argument that is it; -1: each is one.
var saying = map[string]int{"Text": 0, "say": 0, "print": 0, "Errorf": 0, "heads": -1, "filled": 0, "given": 2}

// namedElsewhere are texts that get to where they are said in a variable.
func namedElsewhere() []string {
	texts := []string{
		// of the server
		"Image created successfully", "Version created successfully", "Build cancelled successfully",
		// fields of a table
		"repository", "renamed from", "webhook", "access", "tags", "branches", "paths", "context",
		// what an administrator made of a user
		"%s is disabled", "%s is enabled", "%s is an administrator", "%s is no administrator",
		// cobra's
		"Usage:", "Examples:", "Available Commands:", "Flags:", "Global Flags:", "Help about any command",
		"Help provides help for any command in the application.\nSimply type fandogh help [path to command] for full details.",
	}
	for _, row := range exits {
		texts = append(texts, row.meaning)
	}
	for _, l := range new(verification).links() {
		texts = append(texts, l.name)
	}
	return append(texts, "rebuild")
}

// Whatever the program says is known in Persian, and nothing else is.
func TestEverythingIsSaidInPersian(t *testing.T) {
	said := map[string]bool{}
	for _, text := range namedElsewhere() {
		said[text] = true
	}
	for _, dir := range []string{".", "../../internal/usage"} {
		maps.Copy(said, langtest.Literals(t, dir, saying))
	}
	root := newRootCommand(testApp())
	root.InitDefaultHelpCmd()
	every(root, func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		long, _, _ := strings.Cut(cmd.Long, exitCodeTitle)
		said[cmd.Short], said[long] = true, true
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				said[f.Usage] = true
			}
		})
	})
	langtest.Compare(t, said, persian)
}

// The kind of a refusal is known by its status, whatever it is.
func TestRefusalsAreKnown(t *testing.T) {
	for code := range language.Refusals {
		if got := refusalCode(catalog.Code(code).HTTPStatus()); got != code {
			t.Errorf("%s is taken for %q", code, got)
		}
	}
	if got := refusalCode(http.StatusTeapot); got != "" {
		t.Errorf("a teapot is %q", got)
	}
}
