package buildkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxShown is how many manifests a registry is asked to show of one image: those of an index that fit a platform
// are few.
const maxShown = 16

// errNotShown is an image that a registry names and does not have.
var errNotShown = errors.New("what it has of that digest is something else")

// question is what a registry is asked about an image, as an account.
type question struct {
	ref     name.Reference
	options []remote.Option
}

func (p *pulls) question(host, image, username, password string) (q question, err error) {
	var how []name.Option
	by := p.transport
	if p.mirror != nil && username+password == "" && p.mirror.Serves(host) {
		by = p.mirror.Transport(host)
	} else if plain, err := docker.MatchLocalhost(host); err == nil && plain { // as BuildKit has it
		how = append(how, name.Insecure)
	} else {
		by = byTLS{host, by}
	}
	if q.ref, err = name.ParseReference(image, how...); err != nil {
		return question{}, err
	}
	account := authn.AuthConfig{Username: username, Password: password}
	if username == "" {
		account = authn.AuthConfig{IdentityToken: password}
	}
	q.options = []remote.Option{remote.WithTransport(by), remote.WithAuth(authn.FromConfig(account)), remote.WithRetryPredicate(func(error) bool { return false })}
	return q, nil
}

// byTLS keeps what is for a host from being sent without TLS, which the client tries at private addresses.
type byTLS struct {
	host string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b byTLS) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && r.URL.Host == b.host {
		return nil, fmt.Errorf("%s is asked by TLS alone", b.host)
	}
	return b.next.RoundTrip(r)
}

// mayPull has the registry decide.
func (q question) mayPull(ctx context.Context) error {
	options := append(q.options, remote.WithContext(ctx))
	_, err := remote.Head(q.ref, options...)
	var answered *transport.Error
	var unanswered *url.Error
	if err != nil && !errors.As(err, &answered) && !errors.As(err, &unanswered) { // an answer that lacks something
		_, err = remote.Get(q.ref, options...)
	}
	return err
}

// shows returns nil when the registry sends the manifests that BuildKit uses of an image with a digest.
func (q question) shows(ctx context.Context, platform *pb.Platform) error {
	want := platforms.Default()
	if platform != nil {
		want = platforms.Only(platform.Spec())
	}
	left := maxShown
	return q.showsManifest(append(q.options, remote.WithContext(ctx)), q.ref, want, &left)
}

func (q question) showsManifest(options []remote.Option, ref name.Reference, want platforms.MatchComparer, left *int) error {
	if *left--; *left < 0 {
		return fmt.Errorf("%w: more than %d manifests for one platform", errNotShown, maxShown)
	}
	got, err := remote.Get(ref, options...)
	var answered *transport.Error
	var unanswered *url.Error
	if err != nil && !errors.As(err, &answered) && !errors.As(err, &unanswered) {
		return fmt.Errorf("%w: %w", errNotShown, err)
	}
	if err != nil {
		return err
	}
	// Whatever type it is said to be of here: BuildKit may be told another.
	var index ocispecs.Index
	if err := json.Unmarshal(got.Manifest, &index); err != nil {
		return fmt.Errorf("%w: %w", errNotShown, err)
	}
	for _, child := range index.Manifests {
		if child.Platform != nil && !want.Match(*child.Platform) {
			continue
		}
		if err := q.showsManifest(options, ref.Context().Digest(child.Digest.String()), want, left); err != nil {
			return err
		}
	}
	return nil
}
