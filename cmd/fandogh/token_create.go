package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type tokenOptions struct {
	output
	name    string
	scope   string
	expires string
	user    string
}

func newTokenCreateCommand(a *app) *cobra.Command {
	var o tokenOptions
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create a token",
		Long: `Create a token and print only its secret on standard output. The secret is shown
only once. A read token can view and pull; a write token can do everything that
you can.`,
		Example: `  fandogh token create --name ci --scope write --expires 90d
  fandogh token create --name pull --scope read | docker login --username ali --password-stdin localhost:8080`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runTokenCreate(cmd, a, o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.name, "name", "n", "", "`name` of the token")
	f.StringVar(&o.scope, "scope", "read", "what the token can do: `read or write`")
	f.StringVar(&o.expires, "expires", "", "lifetime, such as 12h or 90d, or expiry `date`, such as 2030-01-31 (default never expires)")
	userFlag(cmd, &o.user)
	complete(cmd, "scope", fixedValues("read", "write"))
	o.addFlag(cmd)
	return cmd
}

func runTokenCreate(cmd *cobra.Command, a *app, o tokenOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.scope != "read" && o.scope != "write" {
		return usage.Errorf("--scope must be read or write, not %q", o.scope)
	}
	expires, err := parseExpiry(o.expires, time.Now())
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	if o.name, err = a.given(cmd.Context(), o.name, "Token name", "--name"); err != nil {
		return err
	}
	in := api.CreateToken{Name: o.name, Scope: o.scope, ExpiresAt: api.Time{Time: expires}}
	var token api.NewToken
	if o.user != "" {
		token, err = c.CreateTokenOf(cmd.Context(), o.user, in)
	} else {
		token, err = c.CreateToken(cmd.Context(), in)
	}
	if err != nil {
		return err
	}
	a.say("Created token %d. Save the secret; it is not shown again.", language.Plain(token.ID))
	return o.show(a, token, func(w *table) { fmt.Fprintln(w, token.Secret) })
}

// parseExpiry reads a duration from now, days included, or a date, which
// counts to its end in the user's zone. Empty means never, the zero time.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, isDuration := later(text, now, 1)
	if !isDuration {
		date, err := time.ParseInLocation(time.DateOnly, text, now.Location())
		if err != nil {
			return time.Time{}, usage.Errorf("--expires %q is not a duration such as 12h or 90d, nor a date such as 2030-01-31", text)
		}
		at = date.AddDate(0, 0, 1).Add(-time.Second)
	}
	if !at.After(now) {
		return at, usage.Errorf("--expires %q is in the past", text)
	}
	return at, nil
}

// later is a moment a duration after now, or before it with the sign -1; days are known, too.
func later(text string, now time.Time, sign int) (at time.Time, isDuration bool) {
	if days, err := strconv.ParseUint(strings.TrimSuffix(text, "d"), 10, 16); err == nil && strings.HasSuffix(text, "d") {
		return now.AddDate(0, 0, sign*int(days)), true
	}
	d, err := time.ParseDuration(text)
	return now.Add(time.Duration(sign) * d), err == nil
}
