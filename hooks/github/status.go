package github

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-github/v84/github"

	"github.com/fandoghpaas/fandogh/catalog"
)

// statusJob is the payload of KindStatus.
type statusJob struct {
	BuildID int64 `json:"build_id"`
}

// onEvent has the state of a build of a connected commit told to GitHub.
func (s *Service) onEvent(ctx context.Context, e catalog.Event) error {
	switch e.Kind {
	case catalog.EventBuildQueued, catalog.EventBuildStarted, catalog.EventBuildFinished:
	default:
		return nil
	}
	c, err := s.connectionFor(ctx, e)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if e.Trigger != catalog.TriggerGitHub { // a rebuild, or one that was taken up after a crash
		if ours, err := s.config.Store.FromSource(ctx, c.ID, e.Commit); err != nil || !ours {
			return err
		}
	}
	keys, err := s.open(c)
	if err != nil {
		s.config.Logger.Error("failed to send a commit status", "image", c.Image, "error", err)
		return nil // it will be no better the next time
	}
	if keys.Token == "" && !keys.App {
		return nil
	}
	payload, err := json.Marshal(statusJob{e.BuildID})
	if err != nil {
		return err
	}
	_, err = s.worker.Put(ctx, catalog.NewJob{Kind: KindStatus, Key: fmt.Sprintf("event/%d", e.ID), Subject: c.ID, NamespaceID: c.NamespaceID, Payload: payload})
	return err
}

// connectionFor returns the connection of the repository that an event's image is built from. Errors: NotFound.
func (s *Service) connectionFor(ctx context.Context, e catalog.Event) (catalog.Connection, error) {
	image, err := s.config.Store.ImageByID(ctx, e.ImageID)
	if err != nil {
		return catalog.Connection{}, err
	}
	return s.config.Store.ConnectionOf(ctx, image.SourceID)
}

// sendStatus tells GitHub the state a build is in now, whichever event asked
// for it: a status that was late does not undo a newer one.
func (s *Service) sendStatus(ctx context.Context, job catalog.Job) (string, error) {
	var about statusJob
	if err := json.Unmarshal(job.Payload, &about); err != nil {
		return "", catalog.Wrap(catalog.Invalid, err, "failed to read the stored status")
	}
	c, err := s.config.Store.ConnectionByID(ctx, job.Subject)
	if catalog.CodeOf(err) == catalog.NotFound {
		return "the image is no longer connected", nil
	}
	if err != nil {
		return "", err
	}
	keys, err := s.open(c)
	if err != nil {
		return "", err
	}
	token, err := s.token(ctx, c, keys)
	if err != nil || token == "" {
		return "no token to send statuses with", err
	}
	api, err := s.api(token)
	if err != nil {
		return "", err
	}
	defer s.sent.lock(c.ID)()
	build, err := s.config.Store.Build(ctx, about.BuildID)
	if catalog.CodeOf(err) == catalog.NotFound {
		return "the version was deleted", nil
	}
	if err != nil {
		return "", err
	}
	status := statusOf(build)
	status.TargetURL = github.Ptr(s.config.BuildURL(build))
	owner, name, _ := strings.Cut(c.Repository, "/")
	if _, _, err := api.Repositories.CreateStatus(ctx, owner, name, build.Commit, status); err != nil {
		return "", apiError(err, "send a commit status")
	}
	return status.GetState() + ": " + status.GetDescription(), nil
}

func statusOf(b catalog.Build) github.RepoStatus {
	state, text := "pending", "is queued"
	switch b.State {
	case catalog.Building:
		text = "is being built"
	case catalog.Built:
		state, text = "success", "built in "+b.EndedAt.Sub(b.StartedAt).Round(100*time.Millisecond).String()
	case catalog.BuildFailed:
		state, text = "failure", b.Message
	case catalog.Failed:
		state, text = "error", strings.ReplaceAll(string(b.Outcome), "_", " ")
		if b.Message != "" {
			text += ": " + b.Message
		}
	}
	description := b.Version + " " + text
	if runes := []rune(description); len(runes) > 140 { // GitHub's limit
		description = string(runes[:139]) + "…"
	}
	return github.RepoStatus{
		State: github.Ptr(state), Description: github.Ptr(description), Context: github.Ptr("fandogh/" + b.Image.Repository()),
	}
}
