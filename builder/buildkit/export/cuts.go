package export

import (
	"strings"

	"github.com/moby/buildkit/exporter/containerimage/exptypes"
)

// Cut is a layer, or the parts that it became, that was made without BuildKit.
type Cut struct {
	Above  int // layers of the image that BuildKit makes above it
	Layers []Layer
	mark   string // of its entry in the history
}

// SetCuts tells which layers BuildKit is not to export, from the lowest on, and which Python sources
// are in them, by name.
func (s *Store) SetCuts(cuts []Cut, python map[string]PythonSource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cuts, s.python = cuts, python
}

// Describe reads from a result's metadata what the image is made FROM, and changes it to tell BuildKit
// which layers it is not to look for.
func (s *Store) Describe(metadata map[string][]byte) error {
	bases := map[string]baseImage{}
	for key, text := range metadata {
		platform, ok := strings.CutPrefix(key, exptypes.ExporterImageBaseConfigKey)
		if !ok {
			continue
		}
		base, err := parseBase(text)
		if err != nil {
			return err
		}
		bases[strings.TrimPrefix(platform, "/")] = base
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bases = bases
	if len(s.cuts) == 0 {
		return nil
	}
	config, err := parseConfig(metadata[exptypes.ExporterImageConfigKey])
	if err != nil {
		return err
	}
	for i := len(s.cuts) - 1; i >= 0; i-- {
		cut := &s.cuts[i]
		if cut.mark, err = config.markCut(cut.Above); err != nil {
			return err
		}
	}
	if err = config.set("history", config.history); err != nil {
		return err
	}
	text, err := config.encode()
	metadata[exptypes.ExporterImageConfigKey] = text
	return err
}

// BaseLayers returns how many layers the image of a configuration has, and whether its history has
// an entry for each.
func BaseLayers(config []byte) (layers int, described bool, err error) {
	base, err := parseBase(config)
	return len(base.layers), base.described == len(base.layers), err
}
