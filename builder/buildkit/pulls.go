package buildkit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	lru "github.com/hashicorp/golang-lru/v2"
	gateway "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	policy "github.com/moby/buildkit/sourcepolicy/pb"
	"github.com/moby/buildkit/sourcepolicy/policysession"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/egress"
)

// BuildKit has one cache for all namespaces, and does not ask a registry for what is named by its digest and lies
// there; who asks while another build does gets that one's answer. So before it uses an image of a registry that any
// namespace has an account at, it asks the session, and the registry is asked here whether this namespace may pull it.
// Registries decide by repository, and so does this.
//
// Nor does BuildKit fetch what has a digest that it knows from elsewhere: a registry needs to name it only. So an
// image that is named by its digest, as all are in the end, is first to be shown by its registry (question.shows).

const (
	pullTimeout = 30 * time.Second
	// pullsKnown is of how many repositories it is remembered that a namespace may pull.
	pullsKnown = 4096
	// pullsFresh is how long a registry's answer is good, and pullsStale how long while it gives none.
	pullsFresh = 10 * time.Minute
	pullsStale = 24 * time.Hour
	// alwaysFresh is for what no time changes: that a registry had what a digest stands for.
	alwaysFresh = time.Duration(math.MaxInt64)
)

// Mirror answers for other registries, without an account.
type Mirror interface {
	// Serves reports whether BuildKit asks it for a registry's images.
	Serves(registry string) bool
	// Transport answers clients of the registry in this process.
	Transport(registry string) http.RoundTripper
}

// pulls asks registries what namespaces may pull. It is safe for concurrent use.
type pulls struct {
	accounts  builder.Accounts
	own       []string // hosts of the own registry, which decides itself
	mirror    Mirror   // nil: there is none
	isNear    bool     // BuildKit reaches registries as this process does
	transport http.RoundTripper
	known     *lru.Cache[[sha256.Size]byte, time.Time] // since when, by account and repository, or what it showed
}

func newPulls(cfg Config) *pulls {
	refuses := cfg.Refuses
	if refuses == nil {
		refuses = notHere
	}
	known, _ := lru.New[[sha256.Size]byte, time.Time](pullsKnown) // only a size below one is an error
	return &pulls{
		accounts: cfg.Accounts, mirror: cfg.Mirror, own: append([]string{cfg.RegistryHost}, cfg.RegistryAliases...), isNear: cfg.Refuses != nil, known: known,
		transport: egress.NewGuard(refuses),
	}
}

// notHere keeps from what is at this machine's own, where BuildKit is at another.
func notHere(to netip.AddrPort) bool {
	a := to.Addr()
	return a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast()
}

// policy answers BuildKit's questions about the sources of one build. What may not be used ends the build, by fail.
func (p *pulls) policy(namespace string, fail func(error)) *policysession.PolicyProvider {
	allow := &policysession.DecisionResponse{Action: policy.PolicyAction_ALLOW}
	return policysession.NewPolicyProvider(func(ctx context.Context, r *policysession.CheckPolicyRequest) (*policysession.DecisionResponse, *gateway.ResolveSourceMetaRequest, error) {
		scheme, image, _ := strings.Cut(r.GetSource().GetSource().GetIdentifier(), "://")
		if scheme != "docker-image" && scheme != "docker-image+blob" {
			return allow, nil, nil
		}
		if err := p.check(ctx, namespace, image, r.GetPlatform()); err != nil {
			fail(err)
			return nil, nil, err
		}
		return allow, nil, nil
	})
}

// check returns nil when a namespace may pull an image.
func (p *pulls) check(ctx context.Context, namespace, image string, platform *pb.Platform) error {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return userError("%q is not a valid image reference", image)
	}
	host := reference.Domain(named)
	if slices.Contains(p.own, host) {
		return nil
	}
	had, err := p.accounts.HadAccount(ctx, host)
	if err != nil && catalog.CodeOf(err) != catalog.Invalid {
		return infrastructure(err, "failed to find out whether %s is private", host)
	}
	_, isDigested := named.(reference.Digested)
	mustShow := isDigested && (had || p.isNear)
	if !had && !mustShow {
		return nil
	}
	username, password, err := p.accounts.CredentialFor(ctx, namespace, host)
	if err != nil && catalog.CodeOf(err) != catalog.Invalid {
		return infrastructure(err, "%s", catalog.MessageOf(err))
	}
	asked, err := p.question(host, reference.TagNameOnly(named).String(), username, password)
	if err != nil {
		return userError("%q is not a valid image reference", image)
	}
	ctx, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	account := fmt.Sprintf("%q %q ", username, password)
	if had {
		err = p.remembered(account+named.Name(), pullsFresh, func() error { return asked.mayPull(ctx) })
	}
	if err == nil && mustShow {
		shown := fmt.Sprintf("%s%s shows %s %s", account, named.Name(), asked.ref.Identifier(), platform)
		err = p.remembered(shown, alwaysFresh, func() error { return asked.shows(ctx, platform) })
	}
	if err == nil {
		return nil
	}
	return whyNot(err, namespace, host, reference.FamiliarString(named))
}

// remembered asks, unless it is known from less than fresh ago, or from longer ago and no answer comes now.
func (p *pulls) remembered(what string, fresh time.Duration, ask func() error) error {
	key := sha256.Sum256([]byte(what))
	since, isKnown := p.known.Get(key)
	if isKnown && time.Since(since) < fresh {
		return nil
	}
	err := ask()
	if err == nil {
		p.known.Add(key, time.Now())
	}
	if err != nil && !isAnswer(err) && isKnown && time.Since(since) < pullsStale {
		return nil
	}
	return err
}

// isAnswer reports whether a registry refused, rather than failed to answer.
func isAnswer(err error) bool {
	var answered *transport.Error
	var refused egress.RefusedError
	return errors.As(err, &refused) || errors.Is(err, errNotShown) ||
		errors.As(err, &answered) && answered.StatusCode >= 400 && answered.StatusCode < 500 && answered.StatusCode != http.StatusTooManyRequests
}

// whyNot says why an image is not pulled.
func whyNot(err error, namespace, host, image string) *builder.SolveError {
	var answered *transport.Error
	var refused egress.RefusedError
	switch {
	case !isAnswer(err):
		failure := infrastructure(err, "%s did not answer whether %s may be pulled", host, image)
		failure.Retry = builder.RetryLater
		return failure
	case errors.As(err, &refused):
		return userError("%s; the server's administrator can allow it in builder.network.allow", refused.Error())
	case errors.As(err, &answered):
		return userError("%s does not let the namespace %s pull %s (%d %s); check the name, or give the namespace an account with \"fandogh registry add %s\"",
			host, namespace, image, answered.StatusCode, http.StatusText(answered.StatusCode), host)
	}
	return userError("%s does not show the image %s: %s", host, image, err)
}
