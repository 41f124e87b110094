package web

import (
	"context"
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
)

// githubData is what the page of an image's connection to GitHub shows.
type githubData struct {
	Image    catalog.Image
	Tabs     []tab
	Status   *catalog.GitHubStatus // nil: it is not connected
	Secret   string                // of a connection that was just made or changed; empty: not shown
	Manages  bool
	MayWrite bool
}

func (c *call) githubPage() error { return c.showGitHub("") }

func (c *call) showGitHub(secret string) error {
	image, err := c.image()
	if err != nil {
		return err
	}
	data := githubData{Image: image, Secret: secret, Manages: c.manages(), MayWrite: c.mayDo(catalog.ActionWrite) == nil}
	data.Tabs = imageTabs(image.Ref, "github", data.Manages)
	status, err := c.server.config.GitHub.Status(c.r.Context(), image)
	switch catalog.CodeOf(err) {
	case "":
		data.Status = &status
	case catalog.NotFound:
	default:
		return err
	}
	return c.show(http.StatusOK, "github", "github", data)
}

// connectGitHub makes or changes a connection. An empty secret, token or key of one that is there leaves what it has, unless it is to be removed.
func (c *call) connectGitHub() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	token, err := c.clearable("token")
	if err != nil {
		return err
	}
	deployKey, err := c.clearable("deploy_key")
	if err != nil {
		return err
	}
	patterns := func(name string) *string {
		text := c.field(name)
		return &text
	}
	status, err := c.server.config.GitHub.Connect(c.r.Context(), image, c.id.User.ID, catalog.GitHubSettings{
		Repository: c.field("repository"), Secret: c.given("secret"), Token: token, DeployKey: deployKey,
		Tags: patterns("tags"), Branches: patterns("branches"), Paths: patterns("paths"), Context: patterns("context"),
	})
	if err != nil {
		return err
	}
	c.audit("image connected", "image", image.Ref, "repository", status.Repository)
	c.form = nil
	return c.showGitHub(status.Secret)
}

// given is a field of the form, nil where it is empty.
func (c *call) given(name string) *string {
	if text := c.field(name); text != "" {
		return &text
	}
	return nil
}

// clearable is given, and "" where the form says that what is there is to be removed. Errors: Invalid (both).
func (c *call) clearable(name string) (*string, error) {
	text := c.given(name)
	if !c.form.Has("no_" + name) {
		return text, nil
	}
	if text != nil {
		return nil, catalog.FieldErrorf(name, "%s is given and is to be removed; choose one of them", name)
	}
	return new(string), nil
}

func (c *call) disconnectGitHub() error {
	return c.onGitHub(c.server.config.GitHub.Disconnect, "image disconnected", "disconnected")
}

func (c *call) syncGitHub() error { return c.onGitHub(c.server.config.GitHub.Sync, "", "synced") }

// onGitHub does something with a connection; audited is what the audit log says, "" nothing.
func (c *call) onGitHub(do func(ctx context.Context, image catalog.Image) error, audited, done string) error {
	image, err := c.image()
	if err != nil {
		return err
	}
	if err := do(c.r.Context(), image); err != nil {
		return err
	}
	if audited != "" {
		c.audit(audited, "image", image.Ref)
	}
	return c.done(settingsOf(image.Ref, "/github"), done)
}
