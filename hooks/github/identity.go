package github

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-github/v84/github"
	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// connectionsTo returns the connections of a repository by its name, and of one that is known by its number and
// had another name.
func (s *Service) connectionsTo(ctx context.Context, by origin) ([]catalog.Connection, error) {
	named, err := s.config.Store.ConnectionsTo(ctx, by.Name)
	if err != nil {
		return nil, err
	}
	known, err := s.config.Store.ConnectionsToID(ctx, by.ID)
	renamed := slices.DeleteFunc(known, func(c catalog.Connection) bool { return strings.EqualFold(c.Repository, by.Name) })
	return append(named, renamed...), err
}

// takes reports whether another repository has the name of a connection's by now.
func (o origin) takes(c catalog.Connection) bool {
	return o.ID != 0 && c.RepositoryID != 0 && o.ID != c.RepositoryID
}

func takenOver(c catalog.Connection, id int64) string {
	return fmt.Sprintf("refused: %s is now another repository (ID %d); the connected one (ID %d) had that name before. To build from the new one, connect it again",
		c.Repository, id, c.RepositoryID)
}

// identify makes sure that a delivery comes from the repository that was connected, whatever that is called
// now. What a delivery says of a name is no proof, as any sender that knows the webhook's secret can write it, and
// with the name goes what the connection's token is used for: GitHub's API is asked.
func (d *delivery) identify(ctx context.Context) (refusal string, err error) {
	by, c := d.event.From, &d.connection
	if by.ID == 0 {
		return "", nil
	}
	if c.RepositoryID == 0 {
		if err := d.service.learn(ctx, c, by); err != nil {
			return "", err
		}
	}
	switch {
	case by.takes(*c):
		return takenOver(*c, by.ID), nil
	case c.RepositoryID == 0 || strings.EqualFold(by.Name, c.Repository):
		return "", nil
	}
	asking := *c
	asking.Repository = by.Name // an App has rights by name
	now, err := d.service.ask(ctx, asking, "repositories/%d", c.RepositoryID)
	if catalog.CodeOf(err) == catalog.Invalid {
		return fmt.Sprintf("refused: GitHub does not confirm that %s is now named %s; connect it again by that name, or give the connection a token", c.Repository, by.Name), nil
	}
	if err != nil {
		return "", err
	}
	return "", d.service.name(ctx, c, now)
}

// learn finds out the number of a connection's repository. Where nothing but the delivery tells, it counts: no
// token is there to be lent to another repository.
func (s *Service) learn(ctx context.Context, c *catalog.Connection, by origin) error {
	now, err := s.ask(ctx, *c, "repos/%s", c.Repository)
	if err == nil {
		return s.name(ctx, c, now)
	}
	keys, openErr := s.open(*c)
	if openErr != nil {
		return openErr
	}
	if strings.EqualFold(by.Name, c.Repository) && keys.Token == "" && !keys.App {
		return s.name(ctx, c, origin{by.ID, c.Repository})
	}
	s.config.Logger.Debug("the ID of a repository is not known yet", "repository", c.Repository, "error", err)
	return ctx.Err()
}

// ask asks the API for a repository. Errors: Invalid (there is none, or none to be seen), Forbidden, Unavailable.
func (s *Service) ask(ctx context.Context, c catalog.Connection, path string, what any) (origin, error) {
	keys, err := s.open(c)
	if err != nil {
		return origin{}, err
	}
	token, err := s.token(ctx, c, keys)
	if err != nil {
		return origin{}, err
	}
	api, err := s.api(token)
	if err != nil {
		return origin{}, err
	}
	request, err := api.NewRequest("GET", fmt.Sprintf(path, what), nil)
	if err != nil {
		return origin{}, err
	}
	var found github.Repository
	if _, err := api.Do(ctx, request, &found); err != nil {
		return origin{}, apiError(err, "look up the repository")
	}
	now := origin{found.GetID(), found.GetFullName()}
	if now.ID == 0 || !isRepository(now.Name) {
		return origin{}, catalog.Errorf(catalog.Unavailable, "look up the repository: GitHub did not respond as expected")
	}
	return now, nil
}

// name records what a connection's repository is.
func (s *Service) name(ctx context.Context, c *catalog.Connection, now origin) error {
	if strings.EqualFold(now.Name, c.Repository) {
		now.Name = c.Repository
	}
	if now.ID == c.RepositoryID && now.Name == c.Repository {
		return nil
	}
	if err := s.config.Store.NameRepository(ctx, c.ID, now.ID, now.Name); err != nil {
		return err
	}
	if now.Name != c.Repository {
		log := s.config.Logger.ResetNamed("audit")
		log.SetLevel(hclog.Info) // whatever else is logged
		log.Info("repository renamed", "via", "github", "image", c.Image, "repository", now.Name, "former", c.Repository, "number", now.ID)
		c.Former = c.Repository
	}
	c.Repository, c.RepositoryID = now.Name, now.ID
	return nil
}

// recognize asks whether a connection's name is still its repository's, as far as the API tells, before its tags are built: git
// would take those of the repository that has the name now.
func (s *Service) recognize(ctx context.Context, c *catalog.Connection) (refusal string, err error) {
	keys, err := s.open(*c)
	if err != nil {
		return "", err
	}
	if keys.DeployKey != "" && keys.Token == "" {
		return "", nil // it opens no other repository, and the API shows nothing without a token
	}
	now, err := s.ask(ctx, *c, "repos/%s", c.Repository)
	switch {
	case catalog.CodeOf(err) == catalog.Unavailable:
		return "", err
	case err != nil:
		return "", nil //nolint:nilerr // it is not for this token to see
	case now.takes(*c):
		return takenOver(*c, now.ID), nil
	}
	return "", s.name(ctx, c, now)
}
