package catalog

import (
	"context"
	"regexp"
	"strings"
)

// FoundVersion is a version that a search found, and the image it is of.
type FoundVersion struct {
	Image ImageRef
	Version
}

// VersionPrefix is how a version's commit, or its digest, begins; one of the two.
type VersionPrefix struct {
	Commit string // hex
	Digest string // "sha256:…"
}

var (
	commitPrefix = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
	digestPrefix = regexp.MustCompile(`^sha(256|512):[0-9a-f]{7,128}$`)
)

// VersionPrefixes reads what a person pasted: 7 hex digits or more begin a commit or a digest, which may have its algorithm
// before it. Of what is neither there are none.
func VersionPrefixes(text string) []VersionPrefix {
	text = strings.ToLower(strings.TrimSpace(text))
	switch {
	case digestPrefix.MatchString(text):
		return []VersionPrefix{{Digest: text}}
	case commitPrefix.MatchString(text):
		return []VersionPrefix{{Commit: text}, {Digest: "sha256:" + text}}
	}
	return nil
}

// Search finds what people look for in all that they may see.
type Search interface {
	// FindImages returns images of a user's namespaces whose names begin so, in any case of letters, up to limit of them.
	FindImages(ctx context.Context, userID int64, prefix string, limit int) ([]ImageRef, error)
	// FindVersions returns versions of a user's namespaces, of all namespaces for 0, up to limit of them; of one commit the newest first.
	// Nothing begins with an empty prefix.
	FindVersions(ctx context.Context, userID int64, prefix VersionPrefix, limit int) ([]FoundVersion, error)
}
