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

// SetCuts tells which layers of the image for a platform BuildKit is not to export, from the lowest on, and which
// Python sources are in them, by name. The platform is as the frontend names it, empty where there is only one.
func (s *Store) SetCuts(platform string, cuts []Cut, python map[string]PythonSource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cuts[platform], s.python[platform] = cuts, python
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
	for platform, cuts := range s.cuts {
		if err := markCuts(metadata, configKey(platform), cuts); err != nil {
			return err
		}
	}
	return nil
}

func configKey(platform string) string {
	if platform == "" {
		return exptypes.ExporterImageConfigKey
	}
	return exptypes.ExporterImageConfigKey + "/" + platform
}

// markCuts does so in one configuration.
func markCuts(metadata map[string][]byte, key string, cuts []Cut) error {
	config, err := parseConfig(metadata[key])
	if err != nil {
		return err
	}
	for i := len(cuts) - 1; i >= 0; i-- {
		cut := &cuts[i]
		if cut.mark, err = config.markCut(cut.Above); err != nil {
			return err
		}
	}
	if err = config.set("history", config.history); err != nil {
		return err
	}
	text, err := config.encode()
	metadata[key] = text
	return err
}

// BaseLayers returns how many layers the image of a configuration has, and whether its history has
// an entry for each.
func BaseLayers(config []byte) (layers int, described bool, err error) {
	base, err := parseBase(config)
	return len(base.layers), base.described == len(base.layers), err
}
