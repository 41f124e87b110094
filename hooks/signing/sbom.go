package signing

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/attestation"
	"github.com/fandoghpaas/fandogh/internal/sbom"
)

// Lister lists the packages in an image. *sbom.Lister does.
type Lister interface {
	List(ctx context.Context, image sbom.Image) ([]byte, error)
}

// unlistable is why a manifest has no SBOM, and how long that is believed: to find out may have taken minutes.
type unlistable struct {
	err   error
	until time.Time
}

const (
	unlistableFor = time.Hour
	maxUnlistable = 10_000
)

// SBOM implements catalog.SBOMs: the first who asks for it waits until it is made, signed and attached.
func (s *Service) SBOM(ctx context.Context, image catalog.Image, version catalog.Version, platform string) ([]byte, error) {
	of, err := s.imageFor(ctx, image, version, platform)
	if err != nil {
		return nil, err
	}
	return s.sbomOf(ctx, image, version, of)
}

func (s *Service) sbomOf(ctx context.Context, image catalog.Image, version catalog.Version, of catalog.PlatformImage) ([]byte, error) {
	if text, err := s.signed(ctx, image, of.Manifest, attestation.SPDXPredicate); err != nil || text != nil {
		return text, err
	}
	done, err := s.listing.Take(ctx, image.Ref.Namespace)
	if err != nil {
		return nil, err
	}
	defer done()
	if known, ok := s.unlistable.Get(of.Manifest); ok && time.Now().Before(known.until) {
		return nil, known.err
	}
	if text, err := s.signed(ctx, image, of.Manifest, attestation.SPDXPredicate); err != nil || text != nil { // made while this waited
		return text, err
	}
	if err := s.config.Room(); err != nil {
		return nil, err
	}
	text, err := s.makeSBOM(ctx, image, version, of)
	if catalog.CodeOf(err) == catalog.Invalid {
		s.unlistable.Add(of.Manifest, unlistable{err, time.Now().Add(unlistableFor)})
	}
	return text, err
}

// imageFor chooses the image for a platform.
func (s *Service) imageFor(ctx context.Context, image catalog.Image, version catalog.Version, platform string) (catalog.PlatformImage, error) {
	if version.Digest == "" {
		return catalog.PlatformImage{}, catalog.Errorf(catalog.Conflict, "version %q has no image", version.Name)
	}
	all, err := s.config.Registry.PlatformImages(ctx, image.Ref, version.Digest)
	if err != nil {
		return catalog.PlatformImage{}, err
	}
	if platform == "" && len(all) == 1 {
		return all[0], nil
	}
	var names []string
	for _, one := range all {
		if one.Platform == platform {
			return one, nil
		}
		names = append(names, one.Platform)
	}
	if platform == "" {
		return catalog.PlatformImage{}, catalog.Errorf(catalog.Invalid, "version %q is for several platforms; name one of %s", version.Name, strings.Join(names, ", "))
	}
	return catalog.PlatformImage{}, catalog.Errorf(catalog.NotFound, "version %q is not for %s; it is for %s", version.Name, platform, strings.Join(names, ", "))
}

// signed returns the predicate of a type of a statement that is attached to a manifest and signed by a known key; nil: there is none.
// Attachments are read by one at a time, for each may take a few hundred MiB of memory.
func (s *Service) signed(ctx context.Context, image catalog.Image, manifest, predicate string) ([]byte, error) {
	done, err := s.reading.Take(ctx, image.Ref.Namespace)
	if err != nil {
		return nil, err
	}
	defer done()
	var keys []attestation.PublicKey
	for text, err := range s.config.Registry.Attached(ctx, image.Ref, manifest, attestation.PredicateAnnotation, predicate) {
		if err == nil && keys == nil {
			keys, err = s.config.Keys.Known()
		}
		if err != nil {
			return nil, err
		}
		var e attestation.Envelope
		if json.Unmarshal(text, &e) != nil {
			continue // whoever may push may attach something
		}
		statement, _, err := e.Open(keys)
		if err == nil && statement.PredicateType == predicate && statement.IsAbout(manifest) {
			return statement.Predicate, nil
		}
	}
	return nil, nil
}

// makeSBOM lists, signs and attaches.
func (s *Service) makeSBOM(ctx context.Context, image catalog.Image, version catalog.Version, of catalog.PlatformImage) ([]byte, error) {
	name := s.config.PublicRegistry() + "/" + image.Ref.Repository()
	listed := sbom.Image{
		Repository: name, Version: version.Name, Digest: of.Manifest, Created: version.CreatedAt,
		Namespace: s.config.PublicURL() + "/spdx/" + image.Ref.Repository() + "/" + version.Name + "/" + of.Manifest, Tool: "fandogh-" + s.config.Version,
	}
	for _, layer := range of.Layers {
		listed.Layers = append(listed.Layers, func() (io.ReadCloser, error) { return s.config.Registry.OpenLayer(ctx, image.Ref, layer) })
	}
	text, err := s.config.Lister.List(ctx, listed)
	if err != nil {
		return nil, err
	}
	key, err := s.config.Keys.Current()
	if err != nil {
		return nil, err
	}
	statement, err := attestation.NewStatement(name, of.Manifest, attestation.SPDXPredicate, json.RawMessage(text))
	if err != nil {
		return nil, err
	}
	all, err := stated(key, version.CreatedAt, statement)
	if err != nil {
		return nil, err
	}
	return text, s.config.Registry.Attach(ctx, image, of.Manifest, all...)
}

// list makes the SBOMs of a built version, one for each platform. What can't be listed stays so, and is said once.
func (s *Service) list(ctx context.Context, u catalog.Unattested) error {
	image, err := s.imageOf(ctx, u)
	if err != nil {
		return err
	}
	version, err := s.config.Store.Version(ctx, image.ID, u.Version)
	if err != nil {
		return err
	}
	platforms, err := s.config.Registry.PlatformImages(ctx, image.Ref, u.Digest)
	if err != nil {
		return err
	}
	for _, of := range platforms {
		_, err := s.sbomOf(ctx, image, version, of)
		if catalog.CodeOf(err) == catalog.Invalid {
			s.config.Logger.Warn("failed to list what is in an image", "image", u.Image, "version", u.Version, "platform", of.Platform, "error", err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
