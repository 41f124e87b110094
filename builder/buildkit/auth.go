package buildkit

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// registryAuth answers BuildKit's questions for a password: at Fandogh's own registry with the build's
// credential, at others with the account of the build's namespace. What it does not implement,
// BuildKit does by itself.
type registryAuth struct {
	auth.UnimplementedAuthServer
	hosts      []string // of the own registry
	credential builder.Credential
	accounts   builder.Accounts // nil: other registries are used without one
	namespace  string
	// mayLogIn is set once it is known that BuildKit asks before it uses what it has of other
	// registries: no other gets an account.
	mayLogIn atomic.Bool
}

// Register makes registryAuth part of a session.
func (a *registryAuth) Register(server *grpc.Server) { auth.RegisterAuthServer(server, a) }

// Credentials returns what a build logs in to a registry with.
func (a *registryAuth) Credentials(ctx context.Context, r *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	if slices.Contains(a.hosts, r.Host) {
		return &auth.CredentialsResponse{Username: a.credential.Username, Secret: a.credential.Password}, nil
	}
	if a.accounts == nil || !a.mayLogIn.Load() {
		return &auth.CredentialsResponse{}, nil
	}
	username, password, err := a.accounts.CredentialFor(ctx, a.namespace, r.Host)
	if catalog.CodeOf(err) == catalog.Invalid { // a host that no account can be of
		return &auth.CredentialsResponse{}, nil
	}
	if err != nil {
		return nil, status.Error(codes.Unavailable, catalog.MessageOf(err))
	}
	return &auth.CredentialsResponse{Username: username, Secret: password}, nil
}
