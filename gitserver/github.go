package gitserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// githubVerbs connect images to repositories on GitHub.
var githubVerbs = []verb{
	{"github", "IMAGE", "show an image's connection to GitHub and its recent deliveries", 1, catalog.ActionRead, nil, (*client).githubStatus},
	{"github-connect", "IMAGE OWNER/NAME [SETTING=VALUE…]",
		"build images from a repository on GitHub; settings: tags, branches, paths, context; and token=-, deploy-key=- or secret=-, read from standard input", -2, catalog.ActionManage, nil, (*client).githubConnect},
	{"github-sync", "IMAGE", "build the repository's tags that are not versions yet", 1, catalog.ActionWrite, nil, (*client).githubSync},
	{"github-disconnect", "IMAGE", "disconnect an image from its repository; versions stay", 1, catalog.ActionManage, nil, (*client).githubDisconnect},
}

// verbs returns the commands that this server has.
func (s *Server) verbs() []verb {
	all := slices.Clone(verbs)
	if s.config.GitHub != nil {
		all = append(all, githubVerbs...)
	}
	if s.config.Secrets != nil {
		all = append(all, secretVerbs...)
	}
	if s.config.Transfers != nil {
		all = append(all, transferVerbs...)
	}
	if s.config.Retention != nil {
		all = append(all, retentionVerbs...)
	}
	return all
}

// maxKey bounds what is read from standard input, in bytes.
const maxKey = 64 << 10

// readSecret reads what is on standard input, to its end. Errors: TooLarge.
func (c *client) readSecret(what string) ([]byte, error) {
	text, err := bounded.ReadAll(&idleReader{session: c.session}, maxKey)
	var tooLong *bounded.TooLongError
	if errors.As(err, &tooLong) {
		return nil, catalog.Wrap(catalog.TooLarge, err, "the %s on standard input is longer than %d KiB", what, maxKey>>10)
	}
	return text, err
}

func (c *client) githubConnect(ctx context.Context, ref catalog.ImageRef, args []string) error {
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	settings := catalog.GitHubSettings{Repository: args[1]}
	fields := map[string]**string{
		"tags": &settings.Tags, "branches": &settings.Branches, "paths": &settings.Paths, "context": &settings.Context,
		"token": &settings.Token, "deploy-key": &settings.DeployKey, "secret": &settings.Secret,
	}
	fromInput := false
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		field, ok := fields[name]
		if !ok {
			return catalog.Errorf(catalog.Invalid, "unknown setting %q; the settings are tags, branches, paths, context, token, deploy-key and secret", name)
		}
		secret := name == "token" || name == "deploy-key" || name == "secret"
		if secret && value != "-" && value != "" {
			return catalog.Errorf(catalog.Invalid, "secrets are not accepted on the command line; write %s=- and pass the secret on standard input", name)
		}
		if value == "-" {
			if fromInput {
				return catalog.Errorf(catalog.Invalid, "only one value can be read from standard input; set the others with another command")
			}
			fromInput = true
			text, err := c.readSecret(name)
			if err != nil {
				return err
			}
			if value = string(text); name != "deploy-key" {
				value = strings.TrimSpace(value)
			}
		}
		*field = &value
	}
	if fromInput { // it may have taken long
		if err := c.stillMay(ctx, catalog.ActionManage, ref); err != nil {
			return err
		}
	}
	status, err := c.server.config.GitHub.Connect(ctx, image, c.id.User.ID, settings)
	if err != nil {
		return err
	}
	if err := c.say("Connected %s to %s.", image.Ref, status.Repository); err != nil || status.Secret == "" {
		return err
	}
	return c.say(`On GitHub, under Settings > Webhooks > Add webhook, enter:

  Payload URL   %s
  Content type  application/json
  Secret        %s

and choose "Just the push event". The secret is not shown again.`, status.WebhookURL, status.Secret)
}

func (c *client) githubStatus(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	s, err := c.server.config.GitHub.Status(ctx, image)
	if err != nil {
		return err
	}
	return c.table(func(w io.Writer) {
		for _, row := range [][2]string{
			{"Repository", s.Repository}, {"Renamed from", s.Former}, {"Webhook", s.WebhookURL}, {"Access", s.Access}, {"Tags", s.Tags},
			{"Branches", s.Branches}, {"Paths", s.Paths}, {"Context", s.Context},
		} {
			if row[1] != "" {
				fmt.Fprintf(w, "%s\t%s\n", c.speaker.Text(row[0]), row[1])
			}
		}
		if len(s.Refs) > 0 {
			fmt.Fprintln(w, "\n"+c.heads("REF", "COMMIT", "WHEN", "RESULT"))
		}
		for _, r := range s.Refs {
			fmt.Fprintf(w, "%s\t%.7s\t%s\t%s\n", r.Name, r.Commit, c.when(r.At), r.Note)
		}
		if len(s.Deliveries) > 0 {
			fmt.Fprintln(w, "\n"+c.heads("DELIVERY", "STATE", "WHEN", "RESPONSE"))
		}
		for _, d := range s.Deliveries {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Key, d.State, c.when(d.CreatedAt), d.Answer)
		}
	})
}

func (c *client) githubSync(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	if err := c.server.config.GitHub.Sync(ctx, image); err != nil {
		return err
	}
	return c.say("The repository's tags are being compared; check the result with: %s", c.sshCommand("github "+ref.String()))
}

func (c *client) githubDisconnect(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	if err := c.server.config.GitHub.Disconnect(ctx, image); err != nil {
		return err
	}
	return c.say("Disconnected %s. Delete the webhook on GitHub, too.", image.Ref)
}
