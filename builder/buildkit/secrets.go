package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

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
	s := &buildSecrets{values: map[string][]byte{}, agents: sshAgents{keys: map[string]any{}}}
	s.mounts = dockerfile.Secrets{Values: map[string]string{}, Agents: map[string]string{}}
	lines := map[string]func(){}
	var hidden [][]byte
	for _, secret := range secrets {
		what := "secret"
		if secret.Kind == catalog.SecretSSHKey {
			key, err := ssh.ParseRawPrivateKey(secret.Value)
			if err != nil {
				return nil, fmt.Errorf("the SSH key %s: %w", secret.Name, err)
			}
			what = "SSH key"
			s.agents.keys[secret.Alias] = key
			s.mounts.Agents[secret.Name] = secret.Alias
		} else {
			s.values[secret.Alias] = secret.Value
			s.mounts.Values[secret.Name] = secret.Alias
			hidden = append(hidden, secret.Value)
		}
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

// sshAgents serves agents with one key each, as `buildctl --ssh id=file` does.
type sshAgents struct {
	sshforward.UnimplementedSSHServer
	keys map[string]any // by alias
}

// Register implements session.Attachable.
func (a *sshAgents) Register(server *grpc.Server) { sshforward.RegisterSSHServer(server, a) }

// CheckAgent implements sshforward.SSHServer.
func (a *sshAgents) CheckAgent(_ context.Context, r *sshforward.CheckAgentRequest) (*sshforward.CheckAgentResponse, error) {
	if _, ok := a.keys[r.ID]; !ok {
		return nil, status.Errorf(codes.Unimplemented, "no SSH key %q", r.ID) // as a session says that has none
	}
	return &sshforward.CheckAgentResponse{}, nil
}

// ForwardAgent implements sshforward.SSHServer. Each connection has an agent of its own, so that
// no step changes another's.
func (a *sshAgents) ForwardAgent(stream sshforward.SSH_ForwardAgentServer) error {
	var id string
	if header, ok := metadata.FromIncomingContext(stream.Context()); ok && len(header[sshforward.KeySSHID]) > 0 {
		id = header[sshforward.KeySSHID][0]
	}
	key, ok := a.keys[id]
	if !ok {
		return status.Errorf(codes.NotFound, "no SSH key %q", id)
	}
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		return err
	}
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- agent.ServeAgent(keyring, ours)
		_ = ours.Close()
	}()
	err := sshforward.Copy(stream.Context(), theirs, stream, nil)
	if end := <-served; err == nil && !errors.Is(end, io.EOF) && !errors.Is(end, io.ErrClosedPipe) {
		err = end
	}
	return err
}
