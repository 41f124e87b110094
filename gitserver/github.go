package gitserver

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// githubVerbs connect images to repositories on GitHub.
var githubVerbs = []verb{
	{"github", "IMAGE", "show an image's connection to GitHub and what came of it", 1, catalog.ActionRead, (*client).githubStatus},
	{"github-connect", "IMAGE OWNER/NAME [SETTING=VALUE…]",
		"build what is pushed to a repository on GitHub; settings: tags, branches, paths, context; and token=-, deploy-key=- or secret=-, read from standard input", -2, catalog.ActionOwn, (*client).githubConnect},
	{"github-sync", "IMAGE", "build the repository's tags that are no versions yet", 1, catalog.ActionWrite, (*client).githubSync},
	{"github-disconnect", "IMAGE", "end the connection; versions stay", 1, catalog.ActionOwn, (*client).githubDisconnect},
}

// verbs returns the commands that this server has.
func (s *Server) verbs() []verb {
	if s.GitHub == nil {
		return verbs
	}
	return append(slices.Clone(verbs), githubVerbs...)
}

// maxKey bounds what is read from standard input, in bytes.
const maxKey = 64 << 10

func (c *client) githubConnect(ctx context.Context, ref catalog.ImageRef, args []string) error {
	image, err := c.Store.Image(ctx, ref)
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
			return catalog.Errorf(catalog.Invalid, "there is no setting %q; there are tags, branches, paths, context, token, deploy-key and secret", name)
		}
		secret := name == "token" || name == "deploy-key" || name == "secret"
		if secret && value != "-" && value != "" {
			return catalog.Errorf(catalog.Invalid, "a command line is no place for a secret; write %s=- and give it on standard input", name)
		}
		if value == "-" {
			if fromInput {
				return catalog.Errorf(catalog.Invalid, "only one value can come from standard input; set the others by a second command")
			}
			fromInput = true
			text, err := io.ReadAll(io.LimitReader(c.session, maxKey))
			if err != nil {
				return err
			}
			if value = string(text); name != "deploy-key" {
				value = strings.TrimSpace(value)
			}
		}
		*field = &value
	}
	status, err := c.GitHub.Connect(ctx, image, c.id.User.ID, settings)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.session, "%s is connected to %s.\n", image.Ref, status.Repository); err != nil || status.Secret == "" {
		return err
	}
	_, err = fmt.Fprintf(c.session, `On GitHub, under Settings > Webhooks > Add webhook, type:

  Payload URL   %s
  Content type  application/json
  Secret        %s

and choose "Just the push event". The secret is not shown again.
`, status.WebhookURL, status.Secret)
	return err
}

func (c *client) githubStatus(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	image, err := c.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	s, err := c.GitHub.Status(ctx, image)
	if err != nil {
		return err
	}
	return c.table(func(w io.Writer) {
		for _, row := range [][2]string{
			{"Repository", s.Repository}, {"Webhook", s.WebhookURL}, {"Access", s.Access}, {"Tags", s.Tags},
			{"Branches", s.Branches}, {"Paths", s.Paths}, {"Context", s.Context},
		} {
			if row[1] != "" {
				fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
			}
		}
		if len(s.Refs) > 0 {
			fmt.Fprintf(w, "\nREF\tCOMMIT\tWHEN\tWHAT CAME OF IT\n")
		}
		for _, r := range s.Refs {
			fmt.Fprintf(w, "%s\t%.7s\t%s\t%s\n", r.Name, r.Commit, when(r.At), r.Note)
		}
		if len(s.Deliveries) > 0 {
			fmt.Fprintf(w, "\nDELIVERY\tSTATE\tWHEN\tANSWER\n")
		}
		for _, d := range s.Deliveries {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Key, d.State, when(d.CreatedAt), d.Answer)
		}
	})
}

func (c *client) githubSync(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	image, err := c.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	if err := c.GitHub.Sync(ctx, image); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.session, "The tags are being compared; look with: %s\n", c.sshCommand("github "+ref.String()))
	return err
}

func (c *client) githubDisconnect(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	image, err := c.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	if err := c.GitHub.Disconnect(ctx, image); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.session, "%s is not connected any more; delete the webhook on GitHub's side, too.\n", image.Ref)
	return err
}
