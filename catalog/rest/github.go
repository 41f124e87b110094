package rest

import (
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func (c *call) githubConnect(in api.ConnectGitHub) (api.GitHub, error) {
	image, err := c.image()
	if err != nil {
		return api.GitHub{}, err
	}
	status, err := c.server.config.GitHub.Connect(c.r.Context(), image, c.id.User.ID, catalog.GitHubSettings{
		Repository: in.Repository, Secret: in.Secret, Token: in.Token, DeployKey: in.DeployKey,
		Tags: in.Tags, Branches: in.Branches, Paths: in.Paths, Context: in.Context,
	})
	if err != nil {
		return api.GitHub{}, err
	}
	c.audit("image connected", "image", image.Ref, "repository", status.Repository)
	return githubOf(status), nil
}

func (c *call) githubStatus() (api.GitHub, error) {
	image, err := c.image()
	if err != nil {
		return api.GitHub{}, err
	}
	status, err := c.server.config.GitHub.Status(c.r.Context(), image)
	return githubOf(status), err
}

func (c *call) githubDisconnect() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	if err := c.server.config.GitHub.Disconnect(c.r.Context(), image); err != nil {
		return err
	}
	c.audit("image disconnected", "image", image.Ref)
	return c.deleted("Image Disconnected Successfully")
}

func (c *call) githubSync() (api.Message, error) {
	image, err := c.image()
	if err != nil {
		return api.Message{}, err
	}
	if err := c.server.config.GitHub.Sync(c.r.Context(), image); err != nil {
		return api.Message{}, err
	}
	return messageOK("The repository's tags are being compared"), nil
}

func githubOf(s catalog.GitHubStatus) api.GitHub {
	return api.GitHub{
		Repository: s.Repository, ID: s.RepositoryID, Former: s.Former, WebhookURL: s.WebhookURL, Secret: s.Secret, Access: s.Access,
		Tags: s.Tags, Branches: s.Branches, Paths: s.Paths, Context: s.Context, CreatedAt: api.Time{Time: s.CreatedAt},
		Refs: convertAll(s.Refs, func(r catalog.SourceRef) api.GitHubRef {
			return api.GitHubRef{Ref: r.Name, Commit: r.Commit, Version: r.Version, Note: r.Note, At: api.Time{Time: r.At}}
		}),
		Deliveries: convertAll(s.Deliveries, func(j catalog.Job) api.GitHubDelivery {
			id := j.Key
			if i := strings.LastIndexByte(id, '/'); i >= 0 { // the connection follows
				id = id[:i]
			}
			return api.GitHubDelivery{ID: id, State: string(j.State), Attempts: j.Attempts, Answer: j.Answer, At: api.Time{Time: j.CreatedAt}}
		}),
	}
}
