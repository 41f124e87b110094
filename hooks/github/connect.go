package github

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
)

// sealed is what a connection keeps encrypted.
type sealed struct {
	Secret    string `json:"secret"`
	Token     string `json:"token,omitempty"`
	DeployKey string `json:"deploy_key,omitempty"`
	// App lets the installation's App read the source. It sees whatever it is
	// installed on, so only an administrator may decide that for an image.
	App bool `json:"app,omitempty"`
}

func about(imageID int64) string { return fmt.Sprintf("the GitHub connection of image %d", imageID) }

func (s *Service) open(c catalog.Connection) (sealed, error) {
	var keys sealed
	text, err := s.config.Secrets.Open(c.Sealed, about(c.ImageID))
	if err == nil {
		err = json.Unmarshal(text, &keys)
	}
	return keys, err
}

func (s *Service) seal(imageID int64, keys sealed) ([]byte, error) {
	text, err := json.Marshal(keys)
	return s.config.Secrets.Seal(text, about(imageID)), err
}

// access says how the source is read.
func (s sealed) access() string {
	switch {
	case s.DeployKey != "":
		return "deploy key"
	case s.Token != "":
		return "token"
	case s.App:
		return "app"
	}
	return "public"
}

// Connect implements catalog.GitHubControl.
func (s *Service) Connect(ctx context.Context, image catalog.Image, userID int64, in catalog.GitHubSettings) (catalog.GitHubStatus, error) {
	if err := image.CheckOwnSource(); err != nil {
		return catalog.GitHubStatus{}, err
	}
	c, err := s.config.Store.ConnectionOf(ctx, image.ID)
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		return catalog.GitHubStatus{}, err
	}
	isNew := err != nil
	repository, err := s.parseRepository(in.Repository)
	if err != nil {
		return catalog.GitHubStatus{}, err
	}
	var keys sealed
	if isNew || !strings.EqualFold(c.Repository, repository) {
		c = catalog.Connection{ImageID: image.ID, Tags: "v*"}
	} else if keys, err = s.open(c); err != nil {
		return catalog.GitHubStatus{}, err
	}
	// Who says the name means the repository that has it now.
	c.Repository, c.RepositoryID, c.Former, c.UserID = repository, 0, "", userID
	if err := setPatterns(&c, in); err != nil {
		return catalog.GitHubStatus{}, err
	}
	before := keys.Secret
	if err := s.setKeys(ctx, &keys, userID, in); err != nil {
		return catalog.GitHubStatus{}, err
	}
	if c.Sealed, err = s.seal(image.ID, keys); err != nil {
		return catalog.GitHubStatus{}, err
	}
	if c, err = s.config.Store.PutConnection(ctx, c); err != nil {
		return catalog.GitHubStatus{}, err
	}
	status := s.statusOf(c, keys)
	if keys.Secret != before {
		status.Secret = keys.Secret
	}
	return status, nil
}

func setPatterns(c *catalog.Connection, in catalog.GitHubSettings) (err error) {
	for _, p := range []struct {
		field string
		in    *string
		to    *string
	}{{"tags", in.Tags, &c.Tags}, {"branches", in.Branches, &c.Branches}} {
		if p.in == nil {
			continue
		}
		if *p.to, err = catalog.CheckPatterns(p.field, *p.in); err != nil {
			return err
		}
	}
	if in.Paths != nil {
		if _, err := pathMatcher(*in.Paths); err != nil {
			return err
		}
		c.Paths = strings.Join(catalog.Patterns(*in.Paths), " ")
	}
	if in.Context != nil {
		c.Context = *in.Context
	}
	if c.Tags == "" && c.Branches == "" {
		return catalog.FieldErrorf("tags", "without tags and branches nothing is ever built; set one of them")
	}
	return catalog.BuildOptions{Context: c.Context}.Validate()
}

const minSecret = 16

func (s *Service) setKeys(ctx context.Context, keys *sealed, userID int64, in catalog.GitHubSettings) error {
	switch {
	case in.Secret != nil && len(*in.Secret) < minSecret:
		return catalog.FieldErrorf("secret", "the secret must have at least %d characters; with a shorter secret, others could start builds. Omit it to have one created", minSecret)
	case in.Secret != nil:
		keys.Secret = *in.Secret
	case keys.Secret == "":
		keys.Secret = rand.Text()
	}
	if in.Token != nil {
		if strings.ContainsAny(*in.Token, " \t\r\n") {
			return catalog.FieldErrorf("token", "a token must not contain spaces")
		}
		keys.Token = *in.Token
	}
	if in.DeployKey != nil {
		if *in.DeployKey != "" {
			if _, err := ssh.ParsePrivateKey([]byte(*in.DeployKey)); err != nil {
				return catalog.FieldErrorf("deploy_key", "the deploy key must be an SSH private key without a passphrase")
			}
		}
		keys.DeployKey = *in.DeployKey
	}
	keys.App = false
	if s.config.App.ID != 0 && keys.Token == "" && keys.DeployKey == "" {
		user, err := s.config.Store.UserByID(ctx, userID)
		if err != nil {
			return err
		}
		keys.App = user.Admin
	}
	return nil
}

// Disconnect implements catalog.GitHubControl.
func (s *Service) Disconnect(ctx context.Context, image catalog.Image) error {
	c, err := s.config.Store.ConnectionOf(ctx, image.ID)
	if err != nil {
		return err
	}
	return s.config.Store.DeleteConnection(ctx, c.ID)
}

// shown is how many refs and deliveries a status lists.
const shown = 20

// Status implements catalog.GitHubControl.
func (s *Service) Status(ctx context.Context, image catalog.Image) (catalog.GitHubStatus, error) {
	c, err := s.config.Store.ConnectionOf(ctx, image.ID)
	if err != nil {
		return catalog.GitHubStatus{}, err
	}
	keys, err := s.open(c)
	if err != nil {
		return catalog.GitHubStatus{}, err
	}
	status := s.statusOf(c, keys)
	if status.Refs, err = s.config.Store.ListSourceRefs(ctx, c.ID, shown); err != nil {
		return catalog.GitHubStatus{}, err
	}
	status.Deliveries, err = s.config.Store.ListJobs(ctx, KindDelivery, c.ID, catalog.Page{Limit: shown})
	return status, err
}

func (s *Service) statusOf(c catalog.Connection, keys sealed) catalog.GitHubStatus {
	c.Sealed = nil
	return catalog.GitHubStatus{Connection: c, WebhookURL: s.config.WebhookURL(), Access: keys.access()}
}
