package builder

import (
	"cmp"
	"context"
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
)

// verifyTags finds out who signed the tags of which that is not known yet.
func (b *Builder) verifyTags(ctx context.Context, builds []catalog.NewBuild) ([]catalog.NewBuild, error) {
	if b.config.Tags == nil {
		return builds, nil
	}
	builds = slices.Clone(builds)
	for i := range builds {
		n := &builds[i]
		if n.TagObject == "" || n.Signature != (catalog.TagSignature{}) {
			continue
		}
		image, err := b.store.ImageByID(ctx, n.ImageID)
		if err != nil {
			return nil, err
		}
		if n.Signature, err = catalog.VerifyTagOf(ctx, b.config.Tags, b.config.Sources, image.Source, cmp.Or(n.Tag, n.Version), n.TagObject); err != nil {
			return nil, err
		}
	}
	return builds, nil
}

// checkSigned ends a build that its image does not take any more: what it takes, and who may sign, may have changed while the build waited.
func (a *attempt) checkSigned(ctx context.Context) error {
	err := a.builder.store.CheckSigned(ctx, a.build.ID)
	if catalog.CodeOf(err) == catalog.Forbidden {
		a.refusedTag = true
		return &SolveError{Outcome: catalog.OutcomeUserError, Message: catalog.MessageOf(err)}
	}
	return err
}

// announceTag says who signed the tag.
func (a *attempt) announceTag() {
	if a.build.Signature.Signed() {
		a.log.sayf("Tag %s %s", a.build.Tag, a.build.Signature)
	}
}
