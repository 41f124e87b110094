package catalog

import (
	"path"
	"regexp"
	"strings"
)

// MaxImages is how many images one commit may be built as.
const MaxImages = 50

// ImageEntry is one of the images that a commit says it is built as.
type ImageEntry struct {
	Name      string
	Context   string // slash path in the tree; "" is its root
	TagPrefix string // of the only tags that build it, but for those that name it; "": any tag does
}

// SplitTag reads a git tag as monorepos name their releases: "v1.0" is a version alone, and of what is before a version, as in
// "api/v1.0" and "@scope/api@1.0", it returns the name. A "+", which no tag of an image may have, becomes "_". Errors: Invalid.
func SplitTag(tag string) (name, version string, err error) {
	if at := strings.LastIndexAny(tag, "/@"); at > 0 {
		name, tag = tag[:at], tag[at+1:]
	}
	version = strings.ReplaceAll(tag, "+", "_")
	return name, version, ValidateVersion(version)
}

// EntriesOfTag returns which of a commit's images a git tag builds, none when it is of something else in the repository, and
// their version. Without entries the only image is the repository's own. A tag builds, of those there are, the images with
// the longest TagPrefix that it begins with, those whose context or name it names, or all without a TagPrefix.
// Errors: Invalid.
func EntriesOfTag(tag, own string, entries []ImageEntry) (built []ImageEntry, version string, err error) {
	if built, version := byPrefix(tag, entries); len(built) > 0 {
		return built, version, nil
	}
	name, version, err := SplitTag(tag)
	if err != nil {
		return nil, "", err
	}
	base := strings.TrimPrefix(path.Base(name), "@")
	switch {
	case len(entries) == 0 && (name == "" || strings.EqualFold(base, own)):
		return []ImageEntry{{Name: own}}, version, nil
	case len(entries) == 0:
		return nil, "", FieldErrorf("version", "tag %s names image %q, and this repository builds %s alone; list its images under images in .fandogh/config.yml, or push a tag without %q", tag, base, own, tag[:len(name)+1])
	case name == "":
		return only(entries, func(e ImageEntry) bool { return e.TagPrefix == "" }), version, nil
	}
	if built := only(entries, func(e ImageEntry) bool { return e.Context != "" && path.Clean(e.Context) == name }); len(built) > 0 {
		return built, version, nil
	}
	return only(entries, func(e ImageEntry) bool { return strings.EqualFold(e.Name, base) }), version, nil
}

func byPrefix(tag string, entries []ImageEntry) (built []ImageEntry, version string) {
	longest := 0
	for _, e := range entries {
		rest, ok := strings.CutPrefix(tag, e.TagPrefix)
		rest = strings.ReplaceAll(rest, "+", "_")
		if !ok || len(e.TagPrefix) < max(longest, 1) || ValidateVersion(rest) != nil {
			continue
		}
		if len(e.TagPrefix) > longest {
			longest, version, built = len(e.TagPrefix), rest, nil
		}
		built = append(built, e)
	}
	return built, version
}

func only(entries []ImageEntry, wanted func(ImageEntry) bool) (some []ImageEntry) {
	for _, e := range entries {
		if wanted(e) {
			some = append(some, e)
		}
	}
	return some
}

const maxTagPrefix = 100 // bytes

var tagPrefixPattern = regexp.MustCompile(`^[A-Za-z0-9._/@+-]*$`)

// CheckTagPrefix says why no tag can begin with a TagPrefix. Errors: Invalid.
func CheckTagPrefix(prefix string) error {
	_, _, err := SplitTag(prefix + "1")
	bad := strings.Contains(prefix, "..") || strings.Contains(prefix, ".lock/")
	for part := range strings.SplitSeq(prefix+"1", "/") {
		bad = bad || part == "" || part[0] == '.'
	}
	if err != nil || bad || len(prefix) > maxTagPrefix || !tagPrefixPattern.MatchString(prefix) || strings.HasPrefix(prefix, "-") {
		return FieldErrorf("tag_prefix", "tag_prefix %q is not what a git tag of a version can begin with: use letters, digits, '.', '_', '-', '+', '/' and '@'", prefix)
	}
	return nil
}
