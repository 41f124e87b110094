package buildkit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxPlatforms is more than there are bases for. Images are made at once.
const maxPlatforms = 16

// parsePlatforms reads a list with commas as `docker buildx build --platform` does: one that is named twice, also by
// another name, counts once, and "local" is this machine's. The error is the user's.
func parsePlatforms(list string) ([]ocispecs.Platform, error) {
	var found []ocispecs.Platform
	if list == "" {
		return nil, nil
	}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		p, err := platforms.DefaultSpec(), error(nil)
		if !strings.EqualFold(name, "local") {
			p, err = platforms.Parse(name)
		}
		if err != nil {
			return nil, userError("%q is not a platform; name platforms as linux/amd64 or linux/arm/v7, with commas between them", name)
		}
		p = platforms.Normalize(p)
		if !slices.Contains(formatAll(found), platforms.FormatAll(p)) {
			found = append(found, p)
		}
	}
	if len(found) > maxPlatforms {
		return nil, userError("%d platforms are asked for; a build makes at most %d", len(found), maxPlatforms)
	}
	return found, nil
}

// formatAll names platforms as the frontend does.
func formatAll(all []ocispecs.Platform) []string {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = platforms.FormatAll(p)
	}
	return names
}

// support says how a BuildKit runs the programs of a platform, the best first.
type support int

const (
	native   support = iota
	emulated         // by what the kernel starts for such programs
	unnamed          // by nothing that BuildKit tells of
)

func (c *connection) support(p ocispecs.Platform) support {
	switch {
	case !slices.ContainsFunc(c.platforms, func(named ocispecs.Platform) bool { return platforms.Only(named).Match(p) }):
		return unnamed
	case platforms.Only(c.platforms[0]).Match(p):
		return native
	}
	return emulated
}

// own names the platform of BuildKit's machine.
func (c *connection) own() string {
	if len(c.platforms) == 0 {
		return "its own platform"
	}
	return platforms.Format(c.platforms[0])
}

// platformOfStep reads the platform from a step's name, where the frontend puts it when several are asked for:
// "[linux/arm64 2/3] RUN make". A step that makes something for another platform than it runs on,
// "[linux/amd64->arm64 build 2/3] RUN make", is of that one.
func platformOfStep(name string, several []ocispecs.Platform) string {
	first, _, ok := strings.Cut(strings.TrimPrefix(name, "["), " ")
	if !ok || first == name {
		return ""
	}
	runsOn, makes, isCross := strings.Cut(first, "->")
	for _, p := range several {
		all := platforms.FormatAll(p)
		if all == runsOn && !isCross || isCross && (makes == all || fmt.Sprintf("%s/%s", p.OS, makes) == all) {
			return all
		}
	}
	if _, err := platforms.Parse(runsOn); err == nil && !isCross && strings.Contains(runsOn, "/") {
		return runsOn // of a stage that all share
	}
	return ""
}
