package catalog

import (
	"context"
	"strings"
)

// BuildFacts is what is known of a build that made an image, beside the Build itself. It is stored as JSON, and tells
// no secret's value.
type BuildFacts struct {
	Options          BuildOptions `json:"options"`              // all that were in force: asked for, the repository's and the installation's
	TagPrefix        string       `json:"tag_prefix,omitempty"` // as in ImageEntry
	Paths            []string     `json:"paths,omitempty"`      // patterns of the files that decided whether an earlier version has the image; none: all
	SameAs           string       `json:"same_as,omitempty"`    // the earlier version whose layers the image has; empty: it was built
	Dockerfile       string       `json:"dockerfile"`
	DockerfileDigest string       `json:"dockerfile_digest"` // "sha256:…"
	Bases            []BaseImage  `json:"bases,omitempty"`   // that it used files or the configuration of
	Secrets          []string     `json:"secrets,omitempty"` // names of those that steps could ask for
}

// BaseImage is an image that another was built from.
type BaseImage struct {
	Ref      string // in full, as the Dockerfile has it: "docker.io/library/alpine:3.20"
	Platform string // "linux/amd64"
	Digest   string // "sha256:…" of what the registry gave: a manifest, or the index that has it
}

// Unattested is a version of which nothing is said yet.
type Unattested struct {
	Build
	Digest string // "sha256:…" of its manifest
	Facts  BuildFacts
}

// Provenance stores what is to be said of built versions, until it has been.
type Provenance interface {
	// ListUnattested returns built versions with BuildFacts that are not attested yet, with build IDs above after, in the order
	// of these. Limit 0 means the store's maximum.
	ListUnattested(ctx context.Context, after int64, limit int) ([]Unattested, error)
	// EndAttestation records that a build's version is attested, or that it can't be. A build that is gone is no error.
	EndAttestation(ctx context.Context, buildID int64) error
}

// Rebuilder builds versions again that are built, to compare. The builder implements it.
type Rebuilder interface {
	// BuildAgain builds the commit of a version again, without any cache, from the same base images, and stores the image under a tag of
	// the image's repository that is no version. Of made, what is known of the build that made it, it takes Bases, Options.Labels, and
	// Secrets, of which none may be missing. It calls say for each line that the build prints, and returns the digest of the image,
	// "sha256:…". The caller sees to it that one is built at a time, and removes that tag, also after an error. Errors: Conflict (it is not built, or was not built here), NotFound
	// (the version, or its commit), Invalid (the build failed; the message says why), Unavailable (likewise, for a fault of the server,
	// or as it shuts down).
	BuildAgain(ctx context.Context, image Image, version Version, made BuildFacts, say func(line string)) (digest string, err error)
}

const rebuildSuffix = ".rebuild"

// RebuildTag is the tag under which BuildAgain stores what it made of a version with a digest, "sha256:…".
func RebuildTag(digest string) string { return strings.Replace(digest, ":", "-", 1) + rebuildSuffix }

// IsRebuildTag reports whether a tag, which is no version, is one of RebuildTag: nothing needs what is under it for long.
func IsRebuildTag(tag string) bool {
	_, ofOne := AttachmentSubject(tag)
	return ofOne && strings.HasSuffix(tag, rebuildSuffix)
}

// Comparison is what came of building a version again.
type Comparison struct {
	Digest  string // "sha256:…" of the version's manifest
	Rebuilt string // of what was built again; equal to Digest when both are the same, bit for bit
	// Differences are what is not the same, in order; More says that there are others. Without any, though the digests differ, the
	// files are the same and what is around them is not.
	Differences []Difference
	More        bool
}

// Difference is one thing that two images do not have in common.
type Difference struct {
	Platform string // of an image for several
	Layer    string // "layer 2 (RUN date >/stamp)"; empty: it is in the configuration
	Name     string // of a file, from "/", or of a field
	What     string // "content", "mode 0644, was 0755", "added"
}

// Comparisons builds versions again and compares. The signing service implements it.
type Comparisons interface {
	// Compare is BuildAgain, and the comparison of both images, of which the second is removed then. Errors: BuildAgain's.
	Compare(ctx context.Context, image Image, version Version, say func(line string)) (Comparison, error)
}

// GitObject is an object of git as it is hashed, without git's header.
type GitObject struct {
	ID      string // hex; what should be its hash
	Content []byte // nil: it can't be read
}

// Origin is what a repository has of a version.
type Origin struct {
	Object string      // hex; what the tag's ref names, empty when there is no such tag
	Tags   []GitObject // tag objects from that on, of an annotated tag
	Commit GitObject   // that the version was built from
	Tree   GitObject   // the commit's root directory
}

// Origins reads where versions come from, as it is now, without a guess whether that is right. The git server
// implements it.
type Origins interface {
	// Origin returns what an image's repository has of a tag and of a commit, hex. Errors: NotFound (repository).
	Origin(ctx context.Context, ref ImageRef, tag, commit string) (Origin, error)
}

// InstallationKey is a public key with which versions were signed.
type InstallationKey struct {
	Fingerprint string // "SHA256:" and hex
	PEM         string
}

// SigningKeys tells the keys of the installation, the one in use first.
type SigningKeys interface {
	ListSigningKeys() ([]InstallationKey, error)
}

// SBOMs lists what is in versions. The signing service implements it.
type SBOMs interface {
	// SBOM returns a document of SPDX 2.3 in JSON with the packages in a version's image for a platform; "" where it has only one. It
	// is made when it is first asked for. Errors: Conflict (the version is not built), NotFound (it is not for the platform, or gone),
	// Invalid (which platform; or there is something about the image that can't be read).
	SBOM(ctx context.Context, image Image, version Version, platform string) ([]byte, error)
}
