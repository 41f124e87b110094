package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/language"
)

// logColours says what stands out in a build's log; the first that fits wins.
var logColours = []struct {
	pattern *regexp.Regexp
	colour  string
}{
	{regexp.MustCompile(`^#\d+ \| `), ""},
	{regexp.MustCompile(`^#\d+ ERROR`), red},
	{regexp.MustCompile(`^#\d+ done |^#\d+ .* CACHED$`), dim},
	{regexp.MustCompile(`^#\d+ `), cyan},
	{regexp.MustCompile(`^Built `), green},
	{regexp.MustCompile(` was not built \(`), red},
}

// showLine prints one line of a log.
func (a *app) showLine(line string) {
	line = plain(line)
	for _, c := range logColours {
		if c.pattern.MatchString(line) {
			line = a.paint(a.out, c.colour, line)
			break
		}
	}
	fmt.Fprintln(a.out, line)
}

// follow shows a build's log until its end, which is the summary. A failed
// build is an error.
func (a *app) follow(ctx context.Context, c *client.Client, image, version string, timestamps bool) error {
	end, err := c.Follow(ctx, image, version, timestamps, a.showLine)
	switch {
	case ctx.Err() != nil:
		return language.Errorf("stopped following; the build continues\n%s", a.howToLook(image, version))
	case err != nil:
		var lost *client.NetworkError
		if errors.As(err, &lost) {
			return language.Errorf("%w\nthe build continues\n%s", err, a.howToLook(image, version))
		}
		return err
	}
	return a.buildError(image, version, end)
}

func (a *app) buildError(image, version string, end api.BuildEnd) error {
	switch {
	case !client.Failed(end.State):
		return nil
	case end.Message != "":
		return language.Errorf("%w: %s:%s: %s", errBuildFailed, image, version, plain(end.Message))
	}
	return language.Errorf("%w: %s:%s is %s", errBuildFailed, image, version, a.state(end.State))
}

func (a *app) howToLook(image, version string) string {
	return a.Text("  follow it:  fandogh image logs -i %s -v %s -f\n  cancel it:  fandogh image cancel -i %s -v %s", image, version, image, version)
}
