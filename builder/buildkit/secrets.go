package buildkit

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
	"github.com/fandoghpaas/fandogh/catalog"
)

// buildSecrets are a build's secrets, as its session gives them to BuildKit: by their aliases alone. So
// nothing but the steps that dockerfile.Secrets gave them to can ask for them.
type buildSecrets struct {
	mounts dockerfile.Secrets
	values map[string][]byte
	agents sshAgents
	mask   *builder.Mask // takes the values out of what is told of the build
}

// newBuildSecrets reads a build's secrets. note is called, once for each, when a step is going to use it.
func newBuildSecrets(secrets []catalog.OpenSecret, note func(line string)) (*buildSecrets, error) {
	s := &buildSecrets{values: map[string][]byte{}, agents: newSSHAgents()}
	s.mounts = dockerfile.Secrets{Values: map[string]string{}, Agents: map[string]string{}, Set: map[string]time.Time{}}
	lines := map[string]func(){}
	var hidden [][]byte
	for _, secret := range secrets {
		what := "secret"
		if secret.Kind == catalog.SecretSSHKey {
			if err := s.agents.add(secret.Alias, secret.Value); err != nil {
				return nil, fmt.Errorf("the SSH key %s: %w", secret.Name, err)
			}
			what = "SSH key"
			s.mounts.Agents[secret.Name] = secret.Alias
		} else {
			s.values[secret.Alias] = secret.Value
			s.mounts.Values[secret.Name] = secret.Alias
			hidden = append(hidden, secret.Value)
		}
		s.mounts.Set[secret.Alias] = secret.SetAt
		line := fmt.Sprintf("%s %s as set on %s", what, secret.Name, secret.SetAt.UTC().Format(time.DateTime))
		lines[secret.Alias] = sync.OnceFunc(func() { note(line) })
	}
	s.mask = builder.NewMask(hidden)
	s.mounts.Used = func(alias string) { lines[alias]() }
	return s, nil
}

// attachables are the session's parts that answer for the secrets.
func (s *buildSecrets) attachables() []session.Attachable {
	return []session.Attachable{secretsprovider.FromMap(s.values), &s.agents}
}

// hide takes the values out of a failure.
func (s *buildSecrets) hide(err error) error {
	var solve *builder.SolveError
	if s.mask == nil || !errors.As(err, &solve) {
		return err
	}
	hidden := *solve
	hidden.Message = s.mask.Text(solve.Message)
	hidden.Detail = make([]string, len(solve.Detail))
	for i, line := range solve.Detail {
		hidden.Detail[i] = s.mask.Text(line)
	}
	if solve.Err != nil && s.mask.Text(solve.Err.Error()) != solve.Err.Error() {
		hidden.Err = errors.New(s.mask.Text(solve.Err.Error()))
	}
	return &hidden
}

// hideIn takes the values out of events.
func (s *buildSecrets) hideIn(emit func(builder.Event)) func(builder.Event) {
	if s.mask == nil {
		return emit
	}
	return func(e builder.Event) {
		e.Line = s.mask.Text(e.Line)
		if e.Step != nil {
			step := *e.Step
			step.Name, step.Error = s.mask.Text(step.Name), s.mask.Text(step.Error)
			e.Step = &step
		}
		emit(e)
	}
}
