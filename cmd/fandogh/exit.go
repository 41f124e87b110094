package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

var (
	errLogin       = language.Errorf("log in first, with `fandogh login`, or set FANDOGH_TOKEN")
	errBuildFailed = language.Errorf("the build failed")
)

// exit is one exit code and when it is given.
type exit struct {
	code    int
	meaning string
	fits    func(context.Context, error) bool
}

// exits is the table of exit codes, which scripts rely on. The first row that
// fits an error gives its code.
var exits = []exit{
	{0, "done", func(_ context.Context, err error) bool { return err == nil }},
	{130, "interrupted; a running build continues", func(ctx context.Context, _ error) bool { return ctx.Err() != nil }},
	{201, "the build failed", func(_ context.Context, err error) bool { return errors.Is(err, errBuildFailed) }},
	{101, "a parameter is wrong or missing", func(_ context.Context, err error) bool {
		return errors.As(err, new(usage.Error)) || errors.Is(err, client.ErrName)
	}},
	{103, "login needed", func(_ context.Context, err error) bool {
		return errors.Is(err, errLogin) || client.StatusOf(err) == http.StatusUnauthorized
	}},
	{102, "the server returned an error", func(_ context.Context, err error) bool { return client.StatusOf(err) != 0 }},
	{104, "the server could not be reached", func(_ context.Context, err error) bool {
		var lost *client.NetworkError
		return errors.As(err, &lost)
	}},
	{1, "any other error", func(context.Context, error) bool { return true }},
}

func exitCode(ctx context.Context, err error) int {
	for _, row := range exits {
		if row.fits(ctx, err) {
			return row.code
		}
	}
	return 1
}

const exitCodeTitle = "Exit status:"

func exitCodeHelp(speaker language.Speaker) string {
	var b strings.Builder
	b.WriteString(speaker.Text(exitCodeTitle))
	sorted := slices.Clone(exits)
	slices.SortFunc(sorted, func(a, b exit) int { return cmp.Compare(a.code, b.code) })
	for _, row := range sorted {
		fmt.Fprintf(&b, "\n  %3d  %s", row.code, speaker.Text(row.meaning))
	}
	return b.String()
}
