package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageConfig is an image's configuration. What it does not know of it stays as it is.
type imageConfig struct {
	fields  map[string]json.RawMessage
	history []map[string]json.RawMessage
	diffIDs []v1.Hash
}

func parseConfig(text []byte) (*imageConfig, error) {
	c := &imageConfig{}
	if err := json.Unmarshal(text, &c.fields); err != nil {
		return nil, err
	}
	if c.fields == nil {
		return nil, errors.New("the image's configuration is null")
	}
	var rootfs struct {
		DiffIDs []v1.Hash `json:"diff_ids"`
	}
	for name, to := range map[string]any{"history": &c.history, "rootfs": &rootfs} {
		if raw, ok := c.fields[name]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return nil, fmt.Errorf("the image's %s: %w", name, err)
			}
		}
	}
	for i, entry := range c.history {
		if entry == nil { // null
			c.history[i] = map[string]json.RawMessage{}
		}
	}
	c.diffIDs = rootfs.DiffIDs
	return c, nil
}

func (c *imageConfig) set(name string, value any) error {
	raw, err := json.Marshal(value)
	c.fields[name] = raw
	return err
}

// date gives the image, and those entries of its history that this build made, the time
// it was created. The first entries are its base's and keep theirs.
func (c *imageConfig) date(created time.Time, base int) error {
	raw, err := json.Marshal(created)
	if err != nil {
		return err
	}
	c.fields["created"] = raw
	for i := base; i < len(c.history); i++ {
		c.history[i]["created"] = raw
	}
	return nil
}

// label gives the image the labels that it does not have, or has of its base alone.
func (c *imageConfig) label(labels, base map[string]string) error {
	if len(labels) == 0 {
		return nil
	}
	config := map[string]json.RawMessage{}
	own := map[string]string{}
	if err := decode(c.fields["config"], &config); err != nil {
		return fmt.Errorf("the image's config: %w", err)
	}
	if err := decode(config["Labels"], &own); err != nil {
		return fmt.Errorf("the image's labels: %w", err)
	}
	for name, value := range labels {
		if there, ok := own[name]; ok {
			if inherited, ok := base[name]; !ok || inherited != there {
				continue
			}
		}
		own[name] = value
	}
	var err error
	if config["Labels"], err = json.Marshal(own); err != nil {
		return err
	}
	return c.set("config", config)
}

// decode reads a field into a map, which stays as it is where there is none.
func decode[V any](raw json.RawMessage, to *map[string]V) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return json.Unmarshal(raw, to)
}

func (c *imageConfig) encode() ([]byte, error) {
	diffIDs := c.diffIDs
	if diffIDs == nil {
		diffIDs = []v1.Hash{}
	}
	err := c.set("rootfs", map[string]any{"type": "layers", "diff_ids": diffIDs})
	if err == nil {
		err = c.set("history", c.history)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(c.fields)
}

// markCut makes the entry of a layer that BuildKit is not to export one without a layer,
// and returns what expand finds it by. The layer is the one that has above others above it.
func (c *imageConfig) markCut(above int) (mark string, err error) {
	for i := len(c.history) - 1; i >= 0; i-- {
		var entry ocispec.History
		if err := c.entry(i, &entry); err != nil {
			return "", err
		}
		if entry.EmptyLayer {
			continue
		}
		if above--; above >= 0 {
			continue
		}
		// It goes through BuildKit's hands as a comment.
		mark = digest.FromString(fmt.Sprint(i, c.history)).String()
		was, err := json.Marshal(cutComment{Mark: mark, Was: c.history[i]["comment"]})
		if err != nil {
			return "", err
		}
		comment, err := json.Marshal(string(was))
		if err != nil {
			return "", err
		}
		c.history[i]["comment"], c.history[i]["empty_layer"] = comment, json.RawMessage("true")
		return mark, nil
	}
	return "", fmt.Errorf("the image's history has no entry for one of its layers")
}

// cutComment stands for an entry's comment while BuildKit has it.
type cutComment struct {
	Mark string          `json:"mark"`
	Was  json.RawMessage `json:"was,omitempty"`
}

// expand gives back the entry that markCut marked, once for each of its layers.
func (c *imageConfig) expand(mark string, layers int) error {
	for i, entry := range c.history {
		var text string
		var comment cutComment
		if raw, ok := entry["comment"]; !ok || json.Unmarshal(raw, &text) != nil || json.Unmarshal([]byte(text), &comment) != nil || comment.Mark != mark {
			continue
		}
		delete(entry, "empty_layer")
		delete(entry, "comment")
		if comment.Was != nil {
			entry["comment"] = comment.Was
		}
		for range layers - 1 {
			c.history = slices.Insert(c.history, i, entry)
		}
		return nil
	}
	return fmt.Errorf("BuildKit left out the history of a layer")
}

func (c *imageConfig) entry(i int, to any) error {
	raw, err := json.Marshal(c.history[i])
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}

// baseImage is what an image is made FROM.
type baseImage struct {
	layers    map[digest.Digest]bool // by their uncompressed bytes
	history   int                    // entries
	described int                    // layers that have an entry
	labels    map[string]string
}

// parseBase reads a base image's configuration; there may be none.
func parseBase(text []byte) (baseImage, error) {
	base := baseImage{layers: map[digest.Digest]bool{}}
	if len(text) == 0 {
		return base, nil
	}
	var image ocispec.Image
	if err := json.Unmarshal(text, &image); err != nil {
		return base, fmt.Errorf("the base image's configuration: %w", err)
	}
	for _, d := range image.RootFS.DiffIDs {
		base.layers[d] = true
	}
	base.history, base.labels = len(image.History), image.Config.Labels
	for _, entry := range image.History {
		if !entry.EmptyLayer {
			base.described++
		}
	}
	return base, nil
}
