package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

const defaultServer = "http://127.0.0.1:8080"

// app is what the commands share: the streams, the environment and the flags
// that every command has.
type app struct {
	in, out, err *os.File
	getenv       func(string) string
	language.Speaker

	server    string // as given by flag
	namespace string // as given by flag
}

// target is whom a command talks to, and as whom.
type target struct {
	server    string // address of the API, the key of its login
	login     login
	namespace string // empty: the user's own
}

// shown is the server's address as people know it.
func (t target) shown() string { return strings.TrimSuffix(t.server, "/api") }

// target decides by flags, environment and saved logins.
func (a *app) target() (target, error) {
	saved, err := readCredentials()
	if err != nil {
		return target{}, err
	}
	address := cmp.Or(a.server, a.getenv("FANDOGH_SERVER"), saved.Server, defaultServer)
	u, err := client.ParseServer(address)
	if err != nil {
		return target{}, usage.Error{Err: err}
	}
	t := target{server: u.String(), login: saved.Logins[u.String()]}
	if token := a.getenv("FANDOGH_TOKEN"); token != "" {
		t.login = login{Token: token}
	}
	t.namespace = cmp.Or(a.namespace, a.getenv("FANDOGH_NAMESPACE"), t.login.Namespace)
	return t, nil
}

// client returns a client for a user who is logged in.
func (a *app) client() (*client.Client, error) {
	t, err := a.target()
	if err != nil {
		return nil, err
	}
	if t.login.Token == "" {
		return nil, language.Errorf("not logged in to %s; %w", t.shown(), errLogin)
	}
	return newClient(t)
}

func newClient(t target) (*client.Client, error) {
	return client.New(client.Config{Server: t.server, Token: t.login.Token, Namespace: t.namespace, UserAgent: userAgent()})
}

// say tells the person at the terminal something that is no result.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.err, plainLines(a.Text(format, args...)))
}

func (a *app) sayError(err error) {
	fmt.Fprintln(a.err, a.paint(a.err, red, "fandogh:"), plainLines(a.Error(err)))
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// interactive reports whether a user is there to answer questions.
func (a *app) interactive() bool { return isTerminal(a.in) && isTerminal(a.err) }

// Colours, as a terminal's SGR parameters.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

// paint colours text if to is a terminal whose user did not ask for no colours.
func (a *app) paint(to *os.File, colour, text string) string {
	if colour == "" || a.getenv("NO_COLOR") != "" || a.getenv("TERM") == "dumb" || !isTerminal(to) {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// joinClose closes f and joins its error to what err holds already.
func joinClose(err *error, f interface{ Close() error }) { *err = errors.Join(*err, f.Close()) }
