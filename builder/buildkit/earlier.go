package buildkit

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/moby/patternmatcher"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
	"github.com/fandoghpaas/fandogh/catalog"
)

// made is what else than the frontend's questions decides about the bytes of a request's image.
func (s *Solver) made(r builder.SolveRequest) []string {
	return []string{s.cfg.Version, s.cfg.Compression, datedAt(r).Format(time.RFC3339), fmt.Sprintf("%q", r.Paths), r.PathsSum}
}

// counting returns which files of a build context count by SolveRequest.Paths; nil: all do. What git knows of the commit counts always.
func counting(paths []string, context string) (func(name string) bool, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	matcher, err := patternmatcher.New(paths)
	if err != nil {
		return nil, userError("paths: %s", err)
	}
	return func(name string) bool {
		if name == ".git" || strings.HasPrefix(name, ".git/") {
			return true
		}
		matches, err := matcher.MatchesOrParentMatches(path.Join(context, name))
		return matches || err != nil
	}, nil
}

// earlier gives a build the image of an earlier version of its recipe. It returns nil where there is none, or it can't be had: then the
// image is built.
func (b *build) earlier(ctx context.Context, out *export.Store, recipe string, metadata map[string][]byte) *builder.SolveResult {
	r := b.request
	if r.Earlier == nil {
		return nil
	}
	version, err := r.Earlier(ctx, recipe)
	if err != nil {
		if catalog.CodeOf(err) != catalog.NotFound {
			b.log.Warn("failed to look for a version of the same recipe; it is built", "image", r.Build.Image, "version", r.Build.Version, "error", err)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	result, err := out.PublishEarlier(ctx, createdAt(r), version.Digest, metadata)
	if err != nil {
		b.log.Warn("failed to use the image of a version of the same recipe; it is built", "image", r.Build.Image, "version", r.Build.Version, "earlier", version.Name, "error", err)
		return nil
	}
	result.SameAs = version.Name
	return &result
}
