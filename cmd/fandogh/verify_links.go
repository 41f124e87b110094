package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/attestation"
	"github.com/fandoghpaas/fandogh/internal/language"
)

// verification is what is known of a version whose links are checked: nothing of it is true before its link was.
type verification struct {
	app        *app
	client     *client.Client
	repository *client.Repository
	keys       []attestation.PublicKey
	signers    *signers // nil: any

	version  string
	formerly string // by which name the image went when it was built; "": that which it has
	digest   string // that the server says the version has
	origin   api.Origin

	provenance    attestation.Provenance
	provenanceKey attestation.PublicKey
	provenanceErr error // why there is none
}

// link is one thing that leads to another.
type link struct {
	name  string
	check func(context.Context) (says string, err error)
}

func (v *verification) links() []link {
	return []link{
		{"tag", v.checkTag}, {"commit", v.checkCommit}, {"tree", v.checkTree}, {"provenance", v.checkProvenance},
		{"signature", v.checkSignature}, {"manifest", v.checkManifest}, {"layers", v.checkLayers},
	}
}

// fetch asks for all that is small.
func (v *verification) fetch(ctx context.Context, image string) error {
	detail, err := v.client.Version(ctx, image, v.version)
	if err != nil {
		return err
	}
	switch {
	case detail.State != "BUILT":
		return language.Errorf("version %s is %s; only a built version can be verified", v.version, detail.State)
	case detail.Trigger == "registry":
		return language.Errorf("version %s was pushed as an image: it was not built here, and nothing is known of where it comes from", v.version)
	}
	v.digest = detail.Digest
	if v.repository, err = v.client.Repository(ctx, image); err != nil {
		return err
	}
	if v.origin, err = v.client.Origin(ctx, image, v.version); err != nil {
		return err
	}
	v.provenanceErr = v.findProvenance(ctx)
	if givesUp(v.provenanceErr) {
		return v.provenanceErr
	}
	return nil
}

// attached calls visit for the layer of each manifest of a type that refers to the image, until it returns nil. Its error
// says why there is none.
func (v *verification) attached(ctx context.Context, artifactType string, visit func(layer client.Descriptor, content []byte) error) error {
	referrers, err := v.repository.Referrers(ctx, v.digest)
	if err != nil {
		return err
	}
	reason := language.Errorf("there is none; a version has one a moment after it was built, and those built by older servers have none")
	for _, d := range referrers {
		if predicate := d.Annotations[attestation.PredicateAnnotation]; d.ArtifactType != artifactType || predicate != "" && predicate != attestation.ProvenancePredicate {
			continue
		}
		layer, content, err := v.layerOf(ctx, d.Digest)
		if err == nil {
			err = visit(layer, content)
		}
		if err == nil || givesUp(err) {
			return err
		}
		reason = err
	}
	return reason
}

// layerOf reads the one layer of a manifest.
func (v *verification) layerOf(ctx context.Context, manifest string) (layer client.Descriptor, content []byte, err error) {
	text, err := v.repository.Manifest(ctx, manifest)
	if err != nil {
		return layer, nil, err
	}
	var m imageManifest
	if err := json.Unmarshal(text, &m); err != nil || len(m.Layers) != 1 {
		return layer, nil, language.Errorf("the manifest %s has changed", manifest)
	}
	content, err = v.repository.Small(ctx, m.Layers[0].Digest)
	return m.Layers[0], content, err
}

// errOtherTag is that of a provenance from before its version was deleted and pushed again.
var errOtherTag = language.Errorf("it is of another tag")

// findProvenance prefers what the tag is now: another may have been the same image. Where none is of that, checkTag tells.
func (v *verification) findProvenance(ctx context.Context) error {
	found := false
	err := v.attached(ctx, attestation.StatementType, func(_ client.Descriptor, content []byte) error {
		var envelope attestation.Envelope
		if err := json.Unmarshal(content, &envelope); err != nil {
			return language.Errorf("it has changed: %w", err)
		}
		s, key, err := envelope.Open(v.keys)
		if err != nil {
			return err
		}
		var p attestation.Provenance
		if s.PredicateType != attestation.ProvenancePredicate || !s.IsAbout(v.digest) {
			return language.Errorf("what key %s has signed is no provenance of %s", key.Fingerprint, v.digest)
		}
		if err := json.Unmarshal(s.Predicate, &p); err != nil {
			return err
		}
		said := p.Definition.External
		if !strings.EqualFold(said.Image, cmp.Or(v.formerly, v.repository.Name())) {
			return language.Errorf("it is of %s:%s; if that image was transferred and is this one, say so with --formerly %[1]s", said.Image, said.Version)
		}
		if said.Version != v.version {
			return language.Errorf("it is of %s:%s", said.Image, said.Version)
		}
		v.provenance, v.provenanceKey, found = p, key, true
		tagged := said.Commit
		if tag := p.Definition.Internal.Tag; tag != nil {
			tagged = tag.Object
		}
		if tagged != v.origin.Object {
			return errOtherTag
		}
		return nil
	})
	if found && !givesUp(err) {
		return nil
	}
	return err
}

var errNoProvenance = language.Errorf("there is no valid provenance to compare with")

// checkTag follows the tag to its commit.
func (v *verification) checkTag(context.Context) (string, error) {
	said, tag := v.provenance.Definition.External, v.provenance.Definition.Internal.Tag
	commit := said.Commit
	at := v.origin.Object
	switch {
	case v.provenanceErr != nil:
		return "", errNoProvenance
	case !said.NamesVersion():
		return "", language.Errorf("the provenance is of tag %s, which does not name version %s", said.Tag, v.version)
	case at == "":
		return "", language.Errorf("repository %s has no tag %s", said.Repository, said.Tag)
	case tag == nil && at != commit:
		return "", language.Errorf("%s names %s now, and was commit %s when the version was built", said.Tag, at, commit)
	case tag == nil && v.signers != nil:
		return "", language.Errorf("%s is a lightweight tag, which is not signed", said.Tag)
	case tag == nil:
		return v.app.Text("%s names commit %s; it is a lightweight tag, which is not signed", said.Tag, commit), nil
	case at != tag.Object:
		return "", language.Errorf("%s names %s now, and was tag object %s when the version was built", said.Tag, at, tag.Object)
	case len(v.origin.Tags) == 0:
		return "", language.Errorf("tag object %s is missing", at)
	}
	for _, o := range v.origin.Tags {
		if o.ID != at || attestation.GitHash("tag", o.Content) != at {
			return "", language.Errorf("tag object %s is missing or has changed", at)
		}
		at = attestation.TargetOf(o.Content)
	}
	if at != commit {
		return "", language.Errorf("tag object %s names %s, and the version was built from commit %s", tag.Object, at, commit)
	}
	signed, err := v.tagSignature(said.Tag, v.origin.Tags[0].Content)
	if err != nil {
		return "", language.Errorf("tag object %s: %w", tag.Object, err)
	}
	return v.app.Text("%s is tag object %s, %s", said.Tag, tag.Object, signed), nil
}

func (v *verification) checkCommit(context.Context) (string, error) {
	commit := v.provenance.Definition.External.Commit
	switch o := v.origin.Commit; {
	case v.provenanceErr != nil:
		return "", errNoProvenance
	case o.ID != commit:
		return "", language.Errorf("the server says that it is %s, and the version was built from %s", o.ID, commit)
	case attestation.GitHash("commit", o.Content) != commit:
		return "", language.Errorf("commit %s is missing or has changed", commit)
	}
	return v.app.Text("%s has tree %s", commit, attestation.TreeOf(v.origin.Commit.Content)), nil
}

func (v *verification) checkTree(context.Context) (string, error) {
	tree := attestation.TreeOf(v.origin.Commit.Content)
	switch {
	case v.provenanceErr != nil:
		return "", errNoProvenance
	case attestation.GitHash("commit", v.origin.Commit.Content) != v.provenance.Definition.External.Commit:
		return "", language.Errorf("there is no valid commit that names it")
	case attestation.GitHash("tree", v.origin.Tree.Content) != tree:
		return "", language.Errorf("the root directory %s is missing or has changed", tree)
	}
	for _, r := range v.provenance.Definition.Resolved {
		if r.Digest["gitCommit"] == v.provenance.Definition.External.Commit && r.Digest["gitTree"] == tree {
			text := v.app.Text("%s is what the provenance says was built", tree)
			if left := v.leftOut(); left != "" {
				text = v.app.Text("%s; but %s", text, left)
			}
			return text, nil
		}
	}
	return "", language.Errorf("the provenance is not of tree %s", tree)
}

// leftOut says which files of the image need not be the tree's.
func (v *verification) leftOut() string {
	paths, since := v.provenance.Definition.External.Paths, v.provenance.Definition.Internal.SameAs
	if len(paths) == 0 || since == "" {
		return ""
	}
	return v.app.Text("files that paths leaves out are those of version %s (paths: %s)", since, strings.Join(paths, ", "))
}

func (v *verification) checkProvenance(context.Context) (string, error) {
	if v.provenanceErr != nil {
		return "", v.provenanceErr
	}
	return v.app.Text("says that %s built %s from it, signed by key %s", v.provenance.Run.Builder.ID, v.digest, v.provenanceKey.Fingerprint), nil
}

func (v *verification) checkSignature(ctx context.Context) (string, error) {
	var by attestation.PublicKey
	err := v.attached(ctx, attestation.SignatureArtifact, func(layer client.Descriptor, content []byte) (err error) {
		by, err = attestation.VerifyImage(v.keys, content, layer.Annotations[attestation.SignatureAnnotation], v.digest)
		return err
	})
	return v.app.Text("of %s by key %s", v.digest, by.Fingerprint), err
}

// imageManifest is a manifest, or a list of them.
type imageManifest struct {
	Config    *client.Descriptor  `json:"config"`
	Layers    []client.Descriptor `json:"layers"`
	Manifests []client.Descriptor `json:"manifests"`
}

// checkManifest looks at what who pulls the version is given.
func (v *verification) checkManifest(ctx context.Context) (string, error) {
	text, err := v.repository.Manifest(ctx, v.version)
	if err != nil {
		return "", err
	}
	if got := sumOf(text); got != v.digest {
		return "", language.Errorf("the version is %s, and the registry serves %s", v.digest, got)
	}
	return v.app.Text("%s is served as %s", v.version, v.digest), nil
}

func sumOf(text []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(text)) }

// checkLayers reads all that the manifest names.
func (v *verification) checkLayers(ctx context.Context) (string, error) {
	seen := map[string]bool{}
	var total int64
	if err := v.readImage(ctx, v.digest, seen, &total); err != nil {
		return "", err
	}
	return v.app.Text("%d blobs of %s", len(seen), v.app.bytes(total)), nil
}

func (v *verification) readImage(ctx context.Context, digest string, seen map[string]bool, total *int64) error {
	text, err := v.repository.Manifest(ctx, digest)
	if err != nil {
		return err
	}
	var m imageManifest
	if sumOf(text) != digest {
		return language.Errorf("manifest %s has changed", digest)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return language.Errorf("manifest %s: %w", digest, err)
	}
	for _, child := range m.Manifests {
		if err := v.readImage(ctx, child.Digest, seen, total); err != nil {
			return err
		}
	}
	if m.Config != nil {
		m.Layers = append(m.Layers, *m.Config)
	}
	for i, blob := range m.Layers {
		if seen[blob.Digest] {
			continue
		}
		seen[blob.Digest] = true
		what := v.app.Text("layer %d", i+1)
		if m.Config != nil && i == len(m.Layers)-1 {
			what = v.app.Text("the configuration")
		}
		if err := v.readBlob(ctx, blob, total); err != nil {
			return language.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

func (v *verification) readBlob(ctx context.Context, blob client.Descriptor, total *int64) (err error) {
	content, err := v.repository.Blob(ctx, blob.Digest)
	if err != nil {
		return err
	}
	defer joinClose(&err, content)
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(content, blob.Size+1))
	*total += n
	if err != nil {
		return language.Errorf("read %s: %w", blob.Digest, err)
	}
	if got := fmt.Sprintf("sha256:%x", sum.Sum(nil)); n != blob.Size || got != blob.Digest {
		return language.Errorf("%s has changed: the registry serves %s", blob.Digest, got)
	}
	return nil
}
