package catalog

import (
	"crypto/sha256"
	"regexp"
	"strings"
)

const maxNameLength = 100

// maxTagLength is how long a tag may be, in bytes, as the distribution specification has it.
const maxTagLength = 128

var (
	imageNamePattern = regexp.MustCompile(`^[A-Za-z0-9-_]+$`)
	// ociComponent is one path component of a repository name in the OCI
	// distribution specification.
	ociComponent   = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$`)
	versionPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	// attachmentTag is a tag by which cosign finds what belongs to a manifest: signatures, attestations, lists of parts; and RebuildTag.
	attachmentTag = regexp.MustCompile(`^sha256-([0-9a-f]+)\.(sig|att|sbom|rebuild)$`)
)

// ImageRef names an image: the pair that is unique, without case, in an
// installation.
type ImageRef struct {
	Namespace string
	Name      string
}

// String returns "namespace/name" as the user wrote it.
func (r ImageRef) String() string { return r.Namespace + "/" + r.Name }

// Repository returns the OCI repository's name and, with ".git", the path of
// the git repository: String in lower case.
func (r ImageRef) Repository() string { return strings.ToLower(r.String()) }

// Validate returns an Invalid error that states the broken rule.
func (r ImageRef) Validate() error {
	if err := ValidateNamespace(r.Namespace); err != nil {
		return err
	}
	return ValidateImageName(r.Name)
}

// ValidateImageName checks the published pattern and that the lower-cased name
// is one OCI repository component.
func ValidateImageName(name string) error {
	switch {
	case name == "":
		return FieldErrorf("name", "an image needs a name")
	case len(name) > maxNameLength:
		return FieldErrorf("name", "an image name must be at most %d characters long", maxNameLength)
	case !imageNamePattern.MatchString(name):
		return FieldErrorf("name", "image name %q may contain only letters, digits, - and _", name)
	case !ociComponent.MatchString(strings.ToLower(name)):
		return FieldErrorf("name", "image name %q must begin and end with a letter or digit, with at most two _ in a row and - and _ not side by side", name)
	}
	return nil
}

// ValidateNamespace checks a namespace's name; a user's name follows the same rule.
func ValidateNamespace(name string) error {
	switch {
	case name == "":
		return FieldErrorf("namespace", "a namespace needs a name")
	case len(name) > maxNameLength:
		return FieldErrorf("namespace", "a namespace name must be at most %d characters long", maxNameLength)
	case strings.Contains(name, ".") || !ociComponent.MatchString(name):
		return FieldErrorf("namespace", "namespace %q may contain only lower-case letters, digits, and single - or _ between them", name)
	}
	return nil
}

// ValidateUserName checks the name of a user, which also names a namespace.
func ValidateUserName(name string) error {
	if err := ValidateNamespace(name); err != nil {
		return FieldErrorf("username", "user name %q may contain only lower-case letters, digits, and single - or _ between them, at most %d characters", name, maxNameLength)
	}
	return nil
}

// ValidateVersion checks that a version can be an OCI tag and a git tag.
func ValidateVersion(version string) error {
	if len(version) > maxTagLength || !versionPattern.MatchString(version) {
		return FieldErrorf("version", "version %q is not a valid image tag: use letters, digits, '.', '_' and '-', not beginning with '.' or '-', at most 128 characters", version)
	}
	// Git's own rules for a ref component forbid what OCI allows here.
	if strings.Contains(version, "..") || strings.HasSuffix(version, ".") || strings.HasSuffix(version, ".lock") {
		return FieldErrorf("version", "version %q is not a valid git tag: leave out '..', and '.' or '.lock' at the end", version)
	}
	if _, reserved := AttachmentSubject(version); reserved {
		return FieldErrorf("version", "version %q has the name of a signature of an image; choose another", version)
	}
	return nil
}

// AttachmentSubject returns the manifest, "sha256:…", whose signatures, attestations or list of parts cosign looks for under
// a tag, or which was built again under it. Such a tag is no version.
func AttachmentSubject(tag string) (manifest string, ok bool) {
	m := attachmentTag.FindStringSubmatch(tag)
	if m == nil || len(m[1]) != 2*sha256.Size {
		return "", false
	}
	return "sha256:" + m[1], true
}
