package signing

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/distribution/reference"
	packageurl "github.com/package-url/packageurl-go"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/attestation"
	"github.com/fandoghpaas/fandogh/internal/signature"
)

// buildType says how to read the parameters of a provenance; docs/provenance.md does.
const buildType = "https://github.com/fandoghpaas/fandogh/blob/main/docs/provenance.md#build-type-v1"

// attach signs a version and its provenance, and stores both. Errors: NotFound (the version was deleted).
func (s *Service) attach(ctx context.Context, u catalog.Unattested) error {
	image, err := s.imageOf(ctx, u)
	if err != nil {
		return err
	}
	key, err := s.config.Keys.Current()
	if err != nil {
		return err
	}
	origin, err := s.config.Origins.Origin(ctx, u.Source, u.Tag, u.Commit)
	if err != nil {
		return err
	}
	name := s.config.PublicRegistry() + "/" + u.Image.Repository()
	provenance, err := attestation.NewStatement(name, u.Digest, attestation.ProvenancePredicate, s.provenance(u, origin))
	if err != nil {
		return err
	}
	all, err := stated(key, u.EndedAt, provenance)
	if err != nil {
		return err
	}
	content, annotation, err := attestation.SignImage(key, name, u.Digest)
	if err != nil {
		return err
	}
	all = append(all, twice(attestation.SignatureArtifact, catalog.Attachment{
		Tag: "sig", MediaType: attestation.SignatureType, Annotations: map[string]string{attestation.SignatureAnnotation: annotation}, Content: content,
	})...)
	return s.config.Registry.Attach(ctx, image, u.Digest, all...)
}

// imageOf returns the image that a version is of. Errors: NotFound (it was deleted).
func (s *Service) imageOf(ctx context.Context, u catalog.Unattested) (catalog.Image, error) {
	image, err := s.config.Store.Image(ctx, u.Image)
	if err == nil && image.ID != u.ImageID {
		err = catalog.Errorf(catalog.NotFound, "image %s is another one now", u.Image)
	}
	return image, err
}

// stated signs a statement. It is no bundle of sigstore's: where there is one, cosign looks at nothing else, and would find no
// signature that a user has made in another form.
func stated(key attestation.PrivateKey, at time.Time, statement attestation.Statement) ([]catalog.Attachment, error) {
	envelope, err := attestation.Seal(key, statement)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(envelope)
	if err != nil {
		return nil, err
	}
	return twice(attestation.StatementType, catalog.Attachment{Tag: "att", MediaType: attestation.EnvelopeType, Content: text, Annotations: map[string]string{
		attestation.SignatureAnnotation: "", attestation.PredicateAnnotation: statement.PredicateType, "org.opencontainers.image.created": at.UTC().Format(time.RFC3339),
	}}), nil
}

// twice has something found by its tag, and as what refers to the image.
func twice(artifactType string, tagged catalog.Attachment) []catalog.Attachment {
	referring := tagged
	referring.Tag, referring.ArtifactType = "", artifactType
	return []catalog.Attachment{tagged, referring}
}

// provenance says how a version was built.
func (s *Service) provenance(u catalog.Unattested, origin catalog.Origin) attestation.Provenance {
	o := u.Facts.Options
	source := attestation.Resource{
		URI: "git+" + s.config.PublicURL() + "/" + u.Source.Repository() + "@refs/tags/" + u.Tag, Digest: map[string]string{"gitCommit": u.Commit},
	}
	if origin.Tree.ID != "" {
		source.Digest["gitTree"] = origin.Tree.ID
	}
	return attestation.Provenance{
		Definition: attestation.Definition{
			BuildType: buildType,
			External: attestation.External{
				Image: u.Image.String(), Version: u.Version, Repository: u.Source.String(), Tag: u.Tag, TagPrefix: u.Facts.TagPrefix, Branch: u.Options.Branch, Trigger: string(u.Trigger), Commit: u.Commit, Source: o.Source,
				Dockerfile: u.Facts.Dockerfile, Context: cmp.Or(o.Context, "."), Target: o.Target, Platform: o.Platform, Args: o.Args,
				NoCache: o.NoCache, Pull: o.Pull, KeepGit: o.KeepGit, Timestamps: o.Timestamps, Labels: o.Labels, Paths: u.Facts.Paths,
			},
			Internal: attestation.Internal{Secrets: u.Facts.Secrets, SameAs: u.Facts.SameAs, Tag: tagOf(origin, u.Build)},
			Resolved: resolved(source, u.Facts),
		},
		Run: attestation.Run{
			Builder:  attestation.Builder{ID: s.config.PublicURL(), Version: map[string]string{"fandogh": s.config.Version}},
			Metadata: attestation.Metadata{InvocationID: fmt.Sprintf("%s/builds/%d", s.config.PublicURL(), u.ID), StartedOn: u.StartedAt.UTC(), FinishedOn: u.EndedAt.UTC()},
		},
	}
}

// resolved lists what a build was made of.
func resolved(source attestation.Resource, facts catalog.BuildFacts) []attestation.Resource {
	all := []attestation.Resource{source}
	if hex, ok := strings.CutPrefix(facts.DockerfileDigest, "sha256:"); ok {
		all = append(all, attestation.Resource{Name: facts.Dockerfile, Digest: map[string]string{"sha256": hex}})
	}
	for _, base := range facts.Bases {
		r := attestation.Resource{Name: base.Ref, URI: packageURL(base)}
		if hex, ok := strings.CutPrefix(base.Digest, "sha256:"); ok {
			r.Digest = map[string]string{"sha256": hex}
		}
		all = append(all, r)
	}
	return all
}

// packageURL names an image as BuildKit's provenance does; empty where it has no such name.
func packageURL(base catalog.BaseImage) string {
	named, err := reference.ParseNormalizedNamed(base.Ref)
	if err != nil {
		return ""
	}
	named = reference.TagNameOnly(named)
	var qualifiers packageurl.Qualifiers
	version := ""
	if tagged, ok := named.(reference.Tagged); ok {
		version = tagged.Tag()
	}
	if canonical, ok := named.(reference.Canonical); ok {
		qualifiers = append(qualifiers, packageurl.Qualifier{Key: "digest", Value: canonical.Digest().String()})
	}
	if base.Platform != "" {
		qualifiers = append(qualifiers, packageurl.Qualifier{Key: "platform", Value: base.Platform})
	}
	namespace, name := path.Split(reference.FamiliarName(named))
	return packageurl.NewPackageURL("docker", strings.TrimSuffix(namespace, "/"), name, version, qualifiers, "").ToString()
}

// tagOf describes the annotated tag that a version was built from. Nil: it was a lightweight one.
func tagOf(origin catalog.Origin, build catalog.Build) *attestation.Tag {
	if len(origin.Tags) == 0 || origin.Tags[0].Content == nil || attestation.TargetOf(origin.Tags[len(origin.Tags)-1].Content) != build.Commit {
		return nil
	}
	tag := &attestation.Tag{Object: origin.Tags[0].ID, Content: origin.Tags[0].Content}
	if parsed, err := signature.ParseTag(tag.Content); err == nil {
		tag.Signature = string(signature.KindOf(parsed.Signature))
	}
	if s := build.Signature; s.Verified && build.TagObject == tag.Object {
		tag.Signer, tag.Key = s.Signer, s.Key
	}
	return tag
}
