package dockerfile

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/builder"
)

const imageScheme = "docker-image://"

// Bases are the images that a build uses, by the digests that it uses them by. The zero value has none; it is
// safe for concurrent use.
type Bases struct {
	mu    sync.Mutex
	found map[builder.Base]bool
}

// List returns them in order.
func (b *Bases) List() []builder.Base {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Keys(b.found), func(x, y builder.Base) int {
		return cmp.Or(cmp.Compare(x.Ref, y.Ref), cmp.Compare(x.Platform, y.Platform), cmp.Compare(x.Digest, y.Digest))
	})
}

func (b *Bases) add(identifier string, platform *ocispec.Platform, hash digest.Digest) {
	base := builder.Base{Ref: strings.TrimPrefix(identifier, imageScheme), Digest: hash.String()}
	if platform != nil {
		base.Platform = platforms.FormatAll(platforms.Normalize(*platform))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.found == nil {
		b.found = map[builder.Base]bool{}
	}
	b.found[base] = true
}

// solveByImage has BuildKit run a frontend that is an image. Which images that resolves is not seen here, so those
// count that its result names; none do where BuildKit does not say what the result is made of.
func (c *frontendClient) solveByImage(ctx context.Context, r gateway.SolveRequest) (*gateway.Result, error) {
	result, err := c.Client.Solve(ctx, r)
	if err != nil {
		return nil, err
	}
	_ = result.EachRef(func(ref gateway.Reference) error {
		state, err := ref.ToState()
		if err != nil {
			return err
		}
		def, err := state.Marshal(ctx)
		if err != nil {
			return err
		}
		g, err := newGraph(def.ToPB())
		if err != nil {
			return err
		}
		return c.addBases(ctx, g)
	})
	return result, nil
}

// addBases notes the images that a graph names. Frontends name them by their digests, or leave the tag to BuildKit, which
// gives one answer in a build.
func (c *frontendClient) addBases(ctx context.Context, g *graph) error {
	for _, id := range g.order {
		op := g.ops[id]
		name := op.GetSource().GetIdentifier()
		if !strings.HasPrefix(name, imageScheme) {
			continue
		}
		platform := op.Platform.Spec()
		if tagged, hash, ok := strings.Cut(name, "@"); ok {
			c.bases.add(tagged, &platform, digest.Digest(hash))
			continue
		}
		if _, err := c.ResolveSourceMetadata(ctx, &pb.SourceOp{Identifier: name}, sourceresolver.Opt{ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &platform}}); err != nil {
			return err
		}
	}
	return nil
}
