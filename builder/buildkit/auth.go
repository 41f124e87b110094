package buildkit

import (
	"context"

	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"

	"github.com/fandoghpaas/fandogh/builder"
)

// registryAuth answers BuildKit's questions for a password with the build's
// credential, for Fandogh's own registry alone. Every other registry is used
// without an account: what it does not implement, BuildKit does by itself.
type registryAuth struct {
	auth.UnimplementedAuthServer
	hosts      []string
	credential builder.Credential
}

// Register makes registryAuth part of a session.
func (a *registryAuth) Register(server *grpc.Server) { auth.RegisterAuthServer(server, a) }

// Credentials returns the build's credential for the own registry.
func (a *registryAuth) Credentials(_ context.Context, r *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	for _, host := range a.hosts {
		if r.Host == host {
			return &auth.CredentialsResponse{Username: a.credential.Username, Secret: a.credential.Password}, nil
		}
	}
	return &auth.CredentialsResponse{}, nil
}
