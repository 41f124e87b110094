package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

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

const (
	maxShownText = 256 << 10 // bytes that a page shows of an image's configuration, and as many of its layers' instructions
	maxShownOne  = 4 << 10   // bytes of one value
	maxShownList = 1000      // values of one kind
)

// shortener copies texts as far as there is room, so that nothing holds what they were part of.
type shortener struct {
	room int
	cut  bool
}

func (s *shortener) text(text string) string {
	if most := min(maxShownOne, s.room); len(text) > most {
		text, s.cut = strings.ToValidUTF8(text[:most], "")+"…", true
	}
	s.room = max(0, s.room-len(text))
	return strings.Clone(text)
}

func (s *shortener) list(texts []string) (shown []string) {
	for _, text := range texts {
		if len(shown) == maxShownList || s.room == 0 {
			s.cut = true
			break
		}
		shown = append(shown, s.text(text))
	}
	return shown
}

// shorten is what a page shows of an image: anyone who pushes one may have made it of endless texts. The instructions of its layers are shortened in place.
func shorten(content api.ImageContent, layers []layerRow) (shown *api.ImageContent, cut bool) {
	of, instructions := shortener{room: maxShownText}, shortener{room: maxShownText}
	for i := range layers {
		layers[i].CreatedBy = instructions.text(layers[i].CreatedBy)
	}
	config := content.Config
	shown = &api.ImageContent{Platform: of.text(content.Platform), Platforms: of.list(content.Platforms), Config: api.ImageConfig{
		Entrypoint: of.list(config.Entrypoint), Cmd: of.list(config.Cmd), User: of.text(config.User), WorkingDir: of.text(config.WorkingDir),
		ExposedPorts: of.list(config.ExposedPorts), Env: of.list(config.Env), Labels: map[string]string{},
	}}
	for _, name := range slices.Sorted(maps.Keys(config.Labels)) {
		if len(shown.Config.Labels) == maxShownList || of.room == 0 {
			of.cut = true
			break
		}
		shown.Config.Labels[of.text(name)] = of.text(config.Labels[name])
	}
	return shown, of.cut || instructions.cut
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
