package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// layerChange is what a version made of a layer.
type layerChange string

// What a version made of a layer, against the version before.
const (
	layerKept    layerChange = "kept"
	layerChanged layerChange = "changed" // the same instruction makes another one
	layerNew     layerChange = "new"
)

func layerChanges() []layerChange { return []layerChange{layerKept, layerChanged, layerNew} }

// layerRow is a layer in the bar of its image.
type layerRow struct {
	api.Layer
	Number   int // from 1
	Change   layerChange
	X, Width int // of timelineWidth
}

// layersView is the layers of an image against those of the version before.
type layersView struct {
	Rows  []layerRow
	Since string                // the version before; empty: there is none
	Bytes map[layerChange]int64 // of each change
}

// viewLayers draws the layers of an image; before is nil where there is no version before.
func viewLayers(now *api.ImageContent, before *api.ImageContent, since string) layersView {
	v := layersView{Since: since, Bytes: map[layerChange]int64{}}
	digests, instructions := map[string]bool{}, map[string]bool{}
	if before != nil {
		for _, l := range before.Layers {
			digests[l.Digest], instructions[l.CreatedBy] = true, true
		}
	}
	var all int64
	for _, l := range now.Layers {
		all += max(0, l.Size)
	}
	var at int64
	for i, l := range now.Layers {
		row := layerRow{Layer: l, Number: i + 1, Change: layerNew}
		switch {
		case digests[l.Digest]:
			row.Change = layerKept
		case instructions[l.CreatedBy]:
			row.Change = layerChanged
		}
		v.Bytes[row.Change] += l.Size
		if all > 0 {
			from := float64(at) / float64(all) * timelineWidth
			at += max(0, l.Size)
			row.X, row.Width = int(from), int(float64(at)/float64(all)*timelineWidth)-int(from)
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// maxInspected bounds what is shown of a configuration, in bytes.
const maxInspected = 64 << 10

// inspect writes an image's configuration as `docker inspect` does.
func inspect(image catalog.PlatformImage, tag, byDigest string, size int64) (text string, more bool) {
	var of struct {
		Created      json.RawMessage `json:"created"`
		Author       string          `json:"author"`
		Architecture string          `json:"architecture"`
		Variant      string          `json:"variant"`
		OS           string          `json:"os"`
		Config       json.RawMessage `json:"config"`
		RootFS       struct {
			Type    string   `json:"type"`
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if json.Unmarshal(image.Config, &of) != nil {
		return "", false
	}
	id := sha256.Sum256(image.Config)
	type rootFS struct{ Type, Layers any }
	shown := []any{struct {
		ID           string `json:"Id"`
		RepoTags     []string
		RepoDigests  []string
		Created      json.RawMessage `json:",omitempty"`
		Author       string
		Architecture string
		Variant      string `json:",omitempty"`
		OS           string `json:"Os"`
		Size         int64
		Config       json.RawMessage `json:",omitempty"`
		RootFS       rootFS
	}{"sha256:" + hex.EncodeToString(id[:]), []string{tag}, []string{byDigest}, of.Created, of.Author, of.Architecture, of.Variant, of.OS, size, of.Config, rootFS{of.RootFS.Type, of.RootFS.DiffIDs}}}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	if encoder.Encode(shown) != nil {
		return "", false
	}
	return string(bytes.ToValidUTF8(b.Bytes()[:min(b.Len(), maxInspected)], nil)), b.Len() > maxInspected
}
