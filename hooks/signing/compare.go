package signing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/attestation"
	"github.com/fandoghpaas/fandogh/internal/imagediff"
)

// maxDifferences is how many are told.
const maxDifferences = 100

// Compare implements catalog.Comparisons. The bases are those that the version's provenance names. Versions of one digest share a tag
// of what is built again, and what a build takes is said for one beside the queue: it is done one at a time.
func (s *Service) Compare(ctx context.Context, image catalog.Image, version catalog.Version, say func(line string)) (catalog.Comparison, error) {
	done, err := s.comparing.TakeOrSay(ctx, image.Ref.Namespace, func() { say("Waiting until another version has been built again") })
	if err != nil {
		return catalog.Comparison{}, err
	}
	defer done()
	made, err := s.made(ctx, image, version)
	if err != nil {
		return catalog.Comparison{}, err
	}
	again := catalog.Version{Name: catalog.RebuildTag(version.Digest)} // it may be there also where the build failed
	defer func() {
		if err := s.config.Registry.DeleteVersion(context.WithoutCancel(ctx), image.Ref, again); err != nil {
			s.config.Logger.Warn("failed to remove what was built again", "image", image.Ref, "tag", again.Name, "error", err)
		}
	}()
	if again.Digest, err = s.config.Rebuilder.BuildAgain(ctx, image, version, made, say); err != nil {
		return catalog.Comparison{}, err
	}
	c := comparison{Service: s, ctx: ctx, image: image, Comparison: catalog.Comparison{Digest: version.Digest, Rebuilt: again.Digest}}
	if again.Digest != version.Digest {
		err = c.compare()
	}
	return c.Comparison, err
}

// made returns what a known key has signed of the build that made a version: base images, secrets and labels. Of a version without
// provenance nothing is known, and its bases are what their names stand for now.
func (s *Service) made(ctx context.Context, image catalog.Image, version catalog.Version) (facts catalog.BuildFacts, err error) {
	statement, err := s.signed(ctx, image, version.Digest, attestation.ProvenancePredicate)
	if err != nil || statement == nil {
		return facts, err
	}
	var p attestation.Provenance
	if err := json.Unmarshal(statement, &p); err != nil {
		return facts, err
	}
	for _, r := range p.Definition.Resolved {
		if hex, ok := r.Digest["sha256"]; ok && strings.HasPrefix(r.URI, "pkg:docker/") {
			facts.Bases = append(facts.Bases, catalog.BaseImage{Ref: r.Name, Digest: "sha256:" + hex})
		}
	}
	facts.Secrets, facts.Options.Labels = p.Definition.Internal.Secrets, p.Definition.External.Labels
	return facts, nil
}

// comparison gathers the differences of two images.
type comparison struct {
	*Service
	ctx   context.Context
	image catalog.Image
	catalog.Comparison
}

func (c *comparison) compare() error {
	was, err := c.config.Registry.PlatformImages(c.ctx, c.image.Ref, c.Digest)
	if err != nil {
		return err
	}
	is, err := c.config.Registry.PlatformImages(c.ctx, c.image.Ref, c.Rebuilt)
	if err != nil {
		return err
	}
	if len(was) != len(is) {
		c.add(catalog.Difference{Name: "platforms", What: fmt.Sprintf("%d, was %d", len(is), len(was))})
		return nil
	}
	for i := range is {
		platform := is[i].Platform
		if len(is) == 1 {
			platform = ""
		}
		if err := c.platform(platform, was[i], is[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) platform(platform string, was, is catalog.PlatformImage) error {
	fields, err := imagediff.Configs(was.Config, is.Config)
	if err != nil {
		return err
	}
	for _, f := range fields {
		c.add(catalog.Difference{Platform: platform, Name: f.Name, What: f.What})
	}
	if len(was.Layers) != len(is.Layers) {
		c.add(catalog.Difference{Platform: platform, Name: "layers", What: fmt.Sprintf("%d, was %d", len(is.Layers), len(was.Layers))})
	}
	// Of other numbers those at both ends are the same layers, if any are.
	at, wasEnd, isEnd := 0, len(was.Layers), len(is.Layers)
	for wasEnd > 0 && isEnd > 0 && was.Layers[wasEnd-1] == is.Layers[isEnd-1] {
		wasEnd, isEnd = wasEnd-1, isEnd-1
	}
	wasNames, isNames := layerNames(was), layerNames(is)
	for ; at < max(wasEnd, isEnd); at++ {
		switch {
		case at >= isEnd:
			c.add(catalog.Difference{Platform: platform, Layer: wasNames[at], Name: "all of it", What: "removed"})
		case at >= wasEnd:
			c.add(catalog.Difference{Platform: platform, Layer: isNames[at], Name: "all of it", What: "added"})
		case is.Layers[at] != was.Layers[at]:
			if err := c.layers(catalog.Difference{Platform: platform, Layer: isNames[at]}, was.Layers[at], is.Layers[at]); err != nil {
				return fmt.Errorf("%s: %w", isNames[at], err)
			}
		}
	}
	return nil
}

// layers compares two layers; where says which.
func (c *comparison) layers(where catalog.Difference, was, is string) (err error) {
	before, err := c.config.Registry.OpenLayer(c.ctx, c.image.Ref, was)
	if err != nil {
		return err
	}
	defer closing(&err, before)
	now, err := c.config.Registry.OpenLayer(c.ctx, c.image.Ref, is)
	if err != nil {
		return err
	}
	defer closing(&err, now)
	files, more, err := imagediff.Layers(c.ctx, before, now, imagediff.DefaultLimits)
	if err != nil && !errors.As(err, new(*imagediff.LayerError)) {
		return err
	}
	if err != nil {
		files = []imagediff.Difference{{Name: "its files", What: "can't be compared: " + err.Error()}}
	}
	for _, f := range files {
		c.add(catalog.Difference{Platform: where.Platform, Layer: where.Layer, Name: f.Name, What: f.What})
	}
	c.More = c.More || more
	return nil
}

func closing(err *error, c io.Closer) {
	if closeErr := c.Close(); *err == nil {
		*err = closeErr
	}
}

func (c *comparison) add(d catalog.Difference) {
	if len(c.Differences) == maxDifferences {
		c.More = true
		return
	}
	c.Differences = append(c.Differences, d)
}

// layerNames names an image's layers by their places and by what made them.
func layerNames(image catalog.PlatformImage) []string {
	var config struct {
		History []struct {
			CreatedBy string `json:"created_by"`
			Empty     bool   `json:"empty_layer"`
		} `json:"history"`
	}
	_ = json.Unmarshal(image.Config, &config) // it was compared
	var made []string
	for _, h := range config.History {
		if !h.Empty {
			made = append(made, h.CreatedBy)
		}
	}
	names := make([]string, len(image.Layers))
	for i := range names {
		names[i] = fmt.Sprintf("layer %d", i+1)
		if len(made) == len(names) && made[i] != "" {
			names[i] += " (" + strings.Join(strings.Fields(made[i]), " ") + ")"
		}
	}
	return names
}
