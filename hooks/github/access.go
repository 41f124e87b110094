package github

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-github/v84/github"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/egress"
)

// from returns the remote of the delivery's connection.
func (d *delivery) from(ctx context.Context) (catalog.Remote, error) {
	return d.service.remoteOf(ctx, d.connection)
}

// remoteOf says how a connection's source is reached: always by the connected
// repository's name at the configured host.
func (s *Service) remoteOf(ctx context.Context, c catalog.Connection) (catalog.Remote, error) {
	keys, err := s.open(c)
	if err != nil {
		return catalog.Remote{}, err
	}
	if keys.DeployKey != "" {
		return catalog.Remote{URL: s.config.SSHURL + "/" + c.Repository + ".git", PrivateKey: []byte(keys.DeployKey), KnownHosts: s.config.KnownHosts}, nil
	}
	token, err := s.token(ctx, c, keys)
	if err != nil {
		return catalog.Remote{}, err
	}
	return catalog.Remote{URL: s.config.BaseURL + "/" + c.Repository + ".git", Username: "x-access-token", Password: token, HTTP: s.http}, nil
}

// Credentials implements submodules.Tokens: a token that was given for a connection is good for other repositories of its
// host, as far as it goes. A deploy key and the App's tokens are for one repository.
func (s *Service) Credentials(ctx context.Context, build catalog.Build, u *url.URL) (*catalog.Remote, error) {
	if egress.Origin(u) != egress.Origin(s.base) || build.Options.Source == "" {
		return nil, nil
	}
	c, err := s.config.Store.ConnectionOf(ctx, build.SourceID)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil, nil
	}
	if err != nil || build.Options.Source != s.sourceOf(c) {
		return nil, err
	}
	keys, err := s.open(c)
	if err != nil {
		return nil, err
	}
	return &catalog.Remote{Username: "x-access-token", Password: keys.Token, HTTP: s.http}, nil
}

// sourceOf is where people see a connection's repository.
func (s *Service) sourceOf(c catalog.Connection) string { return s.config.BaseURL + "/" + c.Repository }

// token returns what the API and git over HTTP are asked with, empty for none.
func (s *Service) token(ctx context.Context, c catalog.Connection, keys sealed) (string, error) {
	if keys.Token != "" || !keys.App || s.config.App.ID == 0 {
		return keys.Token, nil
	}
	return s.installationToken(ctx, c.Repository)
}

// api returns a client of the API that asks with a token.
func (s *Service) api(token string) (*github.Client, error) {
	client := github.NewClient(s.http)
	if token != "" {
		client = client.WithAuthToken(token)
	}
	var err error
	client.BaseURL, err = url.Parse(s.config.APIURL + "/")
	return client, err
}

// installationTokens are those of the App, by repository.
type installationTokens struct {
	mu   sync.Mutex
	held map[string]installationToken
}

type installationToken struct {
	token   string
	expires time.Time
}

// installationToken returns a token for one repository alone that is good for
// some minutes at least.
func (s *Service) installationToken(ctx context.Context, repository string) (string, error) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	if t, ok := s.tokens.held[repository]; ok && time.Until(t.expires) > 10*time.Minute {
		return t.token, nil
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM(s.config.App.Key)
	if err != nil {
		return "", err
	}
	now := time.Now()
	// Issued a little earlier: clocks differ.
	proof, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer: strconv.FormatInt(s.config.App.ID, 10), IssuedAt: jwt.NewNumericDate(now.Add(-time.Minute)), ExpiresAt: jwt.NewNumericDate(now.Add(8 * time.Minute)),
	}).SignedString(key)
	if err != nil {
		return "", err
	}
	api, err := s.api(proof)
	if err != nil {
		return "", err
	}
	owner, name, _ := strings.Cut(repository, "/")
	installation, _, err := api.Apps.FindRepositoryInstallation(ctx, owner, name)
	if err != nil {
		return "", apiError(err, "find the App's installation")
	}
	issued, _, err := api.Apps.CreateInstallationToken(ctx, installation.GetID(), &github.InstallationTokenOptions{
		Repositories: []string{name},
		Permissions:  &github.InstallationPermissions{Contents: github.Ptr("read"), Metadata: github.Ptr("read"), Statuses: github.Ptr("write")},
	})
	if err != nil {
		return "", apiError(err, "get a token of the App's installation")
	}
	if s.tokens.held == nil {
		s.tokens.held = map[string]installationToken{}
	}
	s.tokens.held[repository] = installationToken{issued.GetToken(), issued.GetExpiresAt().Time}
	return issued.GetToken(), nil
}

// apiError gives an answer of the API its place in the vocabulary.
func apiError(err error, what string) error {
	var answer *github.ErrorResponse
	var known *catalog.Error
	if errors.As(err, &known) {
		return known
	}
	if errors.As(err, &answer) && answer.Response != nil {
		switch answer.Response.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return catalog.Wrap(catalog.Forbidden, err, "%s: GitHub refused the token; it needs permission to read contents and to write commit statuses", what)
		case http.StatusNotFound, http.StatusUnprocessableEntity:
			return catalog.Wrap(catalog.Invalid, err, "%s: GitHub found no such repository or commit, or the token has no access to it", what)
		}
	}
	return catalog.Wrap(catalog.Unavailable, err, "%s: GitHub did not respond as expected", what)
}
