package main

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type loginOptions struct {
	username      string
	password      string
	passwordStdin bool
}

func newLoginCommand(a *app) *cobra.Command {
	var o loginOptions
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Log in to a server",
		Long: `Log in to a server with user name and password.

The password is exchanged for a token, which is stored for this server in your
configuration directory, readable only by you. The token of an earlier login to the
server is revoked. The server is saved, so later commands need no --server.`,
		Example: `  fandogh login
  fandogh login --server https://fandogh.example.com --username ali
  fandogh login --username ali --password-stdin < password.txt`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runLogin(cmd, a, o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.username, "username", "u", "", "user `name`")
	f.StringVarP(&o.password, "password", "p", "", "the `password`; other programs on this machine can see it, so prefer --password-stdin")
	f.BoolVar(&o.passwordStdin, "password-stdin", false, "read the password from standard input")
	return cmd
}

func runLogin(cmd *cobra.Command, a *app, o loginOptions) error {
	ctx := cmd.Context()
	t, err := a.target()
	if err != nil {
		return err
	}
	saved, err := readCredentials()
	if err != nil {
		return err
	}
	before := t
	before.login = saved.Logins[t.server]
	t.login = login{}
	c, err := newClient(t)
	if err != nil {
		return err
	}
	if readableOnTheWay(t.server) {
		a.say("Warning: the connection to %s is not encrypted, so others on the network can read your password. Use https if the server supports it.", t.shown())
	}
	if o.username, err = a.given(ctx, o.username, "User name", "--username"); err != nil {
		return err
	}
	if o.password, err = a.password(cmd, o); err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	token, err := c.CreateToken(ctx, api.CreateToken{Username: o.username, Password: o.password, Name: "fandogh on " + host, Scope: "write"})
	if err != nil {
		return err
	}
	err = changeCredentials(func(saved *credentials) {
		saved.Server = t.server
		saved.Logins[t.server] = login{Username: o.username, Token: token.Secret, TokenID: token.ID}
	})
	if err != nil {
		return err
	}
	forget(ctx, before)
	a.say("Logged in to %s as %s.", t.shown(), o.username)
	return nil
}

// forget revokes the token of an earlier login, whose copies would be worth something for long. It
// may have ended by itself.
func forget(ctx context.Context, before target) {
	if before.login.TokenID == 0 {
		return
	}
	if c, err := newClient(before); err == nil {
		_ = c.DeleteToken(ctx, before.login.TokenID)
	}
}

const maxPassword = 4 << 10 // bytes

func (a *app) password(cmd *cobra.Command, o loginOptions) (string, error) {
	switch {
	case o.passwordStdin && o.password != "":
		return "", usage.Errorf("give --password or --password-stdin, not both")
	case o.passwordStdin:
		data, err := bounded.ReadAll(a.in, maxPassword)
		if err != nil {
			return "", usage.Errorf("failed to read the password from standard input: %w", err)
		}
		password, _, _ := strings.Cut(string(data), "\n")
		if password = strings.TrimSuffix(password, "\r"); password == "" {
			err = usage.Errorf("standard input is empty; it must contain the password")
		}
		return password, err
	case o.password == "" && a.interactive():
		password, err := a.askPassword(cmd.Context(), a.Text("Password: "))
		return password, cmp.Or(err, missing(password))
	}
	return o.password, missing(o.password)
}

func missing(password string) error {
	if password == "" {
		return usage.Errorf("password is missing; use --password-stdin")
	}
	return nil
}

// readableOnTheWay reports whether what is sent to a server can be read on the way.
func readableOnTheWay(server string) bool {
	u, err := url.Parse(server)
	if err != nil || u.Scheme == "https" || u.Hostname() == "localhost" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip == nil || !ip.IsLoopback()
}
