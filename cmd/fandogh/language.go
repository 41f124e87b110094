package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/language"
)

// newApp returns an app on the program's own streams, in the language of its environment.
func newApp() *app {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv}
	a.Speaker = language.Speaker{Language: language.OfLocale(a.getenv), Texts: persian, Foreign: a.foreign}
	return a
}

// addLanguage gives all commands the flag --lang, and has their help speak the language.
func (a *app) addLanguage(root *cobra.Command) {
	root.PersistentFlags().Var(languageFlag{a}, "lang", "`language` of messages: en or fa (default as LC_ALL, LC_MESSAGES or LANG say)")
	complete(root, "lang", fixedValues(language.Codes()...))
	help, usage := root.HelpFunc(), root.UsageFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		a.translate(root)
		help(cmd, args)
	})
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		if !a.Persian() {
			return usage(cmd)
		}
		to := cmd.OutOrStderr()
		var text bytes.Buffer
		cmd.SetOut(&text)
		err := usage(cmd)
		cmd.SetOut(to)
		return errors.Join(err, a.writeUsage(to, cmd, text.String()))
	})
}

// languageFlag is --lang, which holds from where it stands.
type languageFlag struct{ *app }

// String implements pflag.Value.
func (f languageFlag) String() string { return "" }

// Type implements pflag.Value.
func (f languageFlag) Type() string { return "language" }

// Set implements pflag.Value.
func (f languageFlag) Set(code string) error {
	l, ok := language.Parse(code)
	if !ok {
		return language.Errorf("the languages are: %s", strings.Join(language.Codes(), ", "))
	}
	f.Language = l
	return nil
}

// translate puts the help of a command and of those below it into the language.
func (a *app) translate(cmd *cobra.Command) {
	if !a.Persian() {
		return
	}
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	cmd.Short, cmd.Long = a.Text(cmd.Short), a.longText(cmd.Long)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		switch f.Name {
		case "help":
			f.Usage = a.Text("help for %s", cmd.Name())
		case "version":
			if what, ok := strings.CutPrefix(f.Usage, "version for "); ok {
				f.Usage = a.Text("version for %s", what)
				return
			}
			f.Usage = a.Text(f.Usage)
		default:
			f.Usage = a.Text(f.Usage)
		}
	})
	for _, child := range cmd.Commands() {
		a.translate(child)
	}
}

// longText is a command's Long in the language. What the program itself says of its exit codes is put together.
func (a *app) longText(long string) string {
	text, _, found := strings.Cut(long, exitCodeTitle)
	if !found {
		return a.Text(long)
	}
	return a.Text(text) + exitCodeHelp(a.Speaker)
}

// writeUsage writes what cobra says of a command's use, in the language.
func (a *app) writeUsage(to io.Writer, cmd *cobra.Command, text string) error {
	const more = "Use \"%s [command] --help\" for more information about a command."
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		switch {
		case line == fmt.Sprintf(more, cmd.CommandPath()):
			lines[i] = a.Text(more, cmd.CommandPath())
		case strings.HasSuffix(line, ":") && !strings.HasPrefix(line, " "):
			lines[i] = a.Text(line)
		default:
			lines[i] = strings.ReplaceAll(line, "(default ", a.Text("(default "))
		}
	}
	_, err := io.WriteString(to, strings.Join(lines, "\n"))
	return err
}

// foreign says errors of other packages.
func (a *app) foreign(err error) (string, bool) {
	switch e := err.(type) { //nolint:errorlint // each error of the chain has its turn
	case *client.Error:
		return a.Refusal(refusalCode(e.Status), e.Error()), true
	case *client.NetworkError:
		return a.Text("no response from %s: %v", e.Server, e.Err), true
	case *pflag.NotExistError:
		dashes := "--"
		if e.GetSpecifiedShortnames() != "" {
			dashes = "-"
		}
		return a.Text("unknown flag: %s", dashes+e.GetSpecifiedName()), true
	case *pflag.ValueRequiredError:
		return a.Text("flag needs an argument: %s", "--"+e.GetFlag().Name), true
	case *pflag.InvalidValueError:
		return a.Text("invalid argument %q for the flag %s: %w", e.GetValue(), "--"+e.GetFlag().Name, e.Unwrap()), true
	}
	return "", false
}

// refusalCode is what the server calls an answer of a status.
func refusalCode(status int) string {
	for code, of := range map[string]int{
		"invalid": http.StatusBadRequest, "unauthorized": http.StatusUnauthorized, "forbidden": http.StatusForbidden, "not_found": http.StatusNotFound,
		"conflict": http.StatusConflict, "moved": http.StatusGone, "too_large": http.StatusRequestEntityTooLarge, "rate_limited": http.StatusTooManyRequests,
		"unavailable": http.StatusServiceUnavailable, "internal": http.StatusInternalServerError,
	} {
		if status == of {
			return code
		}
	}
	return ""
}
