package dockerfile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/version"
)

// gatewayFrontend is BuildKit's name for a frontend that is an image.
const gatewayFrontend = "gateway.v0"

// errBuiltIn ends a frontend that asks for itself.
var errBuiltIn = errors.New("this is the frontend that is asked for")

// versionTag is a tag of docker/dockerfile that begins with a number: 1, 1.4, 1.4.3,
// 1.3-labs, 1.0.0-experimental, 1.5.0-rc1-labs.
var versionTag = regexp.MustCompile(`^(\d+)(?:\.(\d+)(?:\.\d+)?)?(?:-rc\d+)?(?:-labs|-experimental)?$`)

// newest are tags of docker/dockerfile that move with its releases.
var newest = []string{"", "latest", "labs", "experimental", "master", "master-labs", "master-experimental"}

// builtIn reports whether an image of a "# syntax=" line is the frontend that this
// program has: Docker's own, of any registry that mirrors it, up to our version. What
// its labs versions had is part of it.
func builtIn(image string) bool {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return false
	}
	if path := reference.Path(named); path != "docker/dockerfile" && path != "docker/dockerfile-upstream" {
		return false
	}
	tag := ""
	if tagged, ok := named.(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	if slices.Contains(newest, tag) {
		return true
	}
	numbers := versionTag.FindStringSubmatch(tag)
	if numbers == nil {
		return false
	}
	ours := versionTag.FindStringSubmatch(ourVersion())
	major, minor := number(numbers[1]), number(numbers[2])
	return major == number(ours[1]) && minor <= number(ours[2])
}

// ourVersion is "1.27".
func ourVersion() string {
	parts := strings.SplitN(version.Version(), ".", 3)
	return strings.Join(parts[:2], ".")
}

// number reads what versionTag found; nothing is 0.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil && digits != "" {
		return int(^uint(0) >> 1)
	}
	return n
}

// checkFrontend returns nil for an image that the operator allows.
func checkFrontend(image string, allowed []string) error {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return fmt.Errorf("# syntax=%s is not a valid image reference: %w", image, err)
	}
	for _, entry := range allowed {
		if permits(entry, named) {
			return nil
		}
	}
	return fmt.Errorf("# syntax=%s is not the Dockerfile frontend of this builder, which is docker/dockerfile:%s; "+
		"remove the line or name a version up to that, or ask the server's administrator to allow it (builder.frontends)", image, ourVersion())
}

// permits reports whether an entry of the operator's list is the image: the same name,
// and the same tag and digest where the entry has them.
func permits(entry string, image reference.Named) bool {
	wanted, err := reference.ParseNormalizedNamed(entry)
	if err != nil || wanted.Name() != image.Name() {
		return false
	}
	if tagged, ok := wanted.(reference.Tagged); ok {
		has, ok := reference.TagNameOnly(image).(reference.Tagged)
		if !ok || has.Tag() != tagged.Tag() {
			return false
		}
	}
	if digested, ok := wanted.(reference.Digested); ok {
		has, ok := image.(reference.Digested)
		return ok && has.Digest() == digested.Digest()
	}
	return true
}
