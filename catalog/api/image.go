package api

// CreateImage asks for a new image in the active namespace.
type CreateImage struct {
	Name string `json:"name"`
}

// Image is a named project.
type Image struct {
	Name        string   `json:"name"`
	Namespace   string   `json:"namespace"`
	Source      string   `json:"source,omitempty"` // "namespace/name" of the image whose repository it is built from, when not its own
	Owner       int64    `json:"owner"`            // user ID
	LastVersion *Version `json:"last_version"`     // null while there is none
	CreatedAt   Time     `json:"created_at"`
	SignedTags  string   `json:"signed_tags"` // required: only tags that a member signed become versions; or off
}

// UpdateImage changes what is given.
type UpdateImage struct {
	SignedTags *string `json:"signed_tags,omitempty"` // as in Image
}

// TagSignature is what is known of the signature of a version's tag, as of when the newest build was asked for.
type TagSignature struct {
	Kind     string `json:"kind"` // ssh, openpgp, x509, or none
	Verified bool   `json:"verified"`
	Key      string `json:"key,omitempty"`    // its fingerprint, or of an unknown OpenPGP key its ID
	Signer   string `json:"signer,omitempty"` // the user whose key that is, when verified
	Reason   string `json:"reason,omitempty"` // why it is not verified
}

// SetDefaultBranch chooses what a clone of an image's repository checks out.
type SetDefaultBranch struct {
	Branch string `json:"branch"`
}

// DefaultBranch is what a clone of an image's repository checks out.
type DefaultBranch struct {
	Branch  string `json:"branch"`
	Exists  bool   `json:"exists"`            // false: it was not pushed yet, and neither was any other
	Awaited string `json:"awaited,omitempty"` // was chosen and is not there yet; the default when it is pushed
	Message string `json:"message"`           // the same as a sentence
}

// TransferImage asks that an image go to another namespace.
type TransferImage struct {
	Namespace string `json:"namespace"`
}

// TransferredImage is one image that went: the one that was asked for, or one that is built from its repository.
type TransferredImage struct {
	From string `json:"from"` // "namespace/name"
	To   string `json:"to"`
}

// Version is a version as lists show it.
type Version struct {
	Version string `json:"version"`
	State   string `json:"state"` // PENDING, BUILDING, BUILT, FAILED or BUILD_FAILED
	Date    Time   `json:"date"`
	Size    int64  `json:"size"` // bytes as stored, compressed; 0 until BUILT
}

// VersionDetail is all that is known about one version.
type VersionDetail struct {
	Version
	Image     string        `json:"image"`                // "namespace/name"
	Reference string        `json:"reference"`            // what docker pull takes
	Digest    string        `json:"digest"`               // "sha256:…", empty until BUILT
	Tag       string        `json:"tag"`                  // in git, such as "api/v1.0+5" of version v1.0_5
	Commit    string        `json:"commit"`               // hex
	Trigger   string        `json:"trigger"`              // push, upload, github, registry or rebuild
	Builds    []BuildDetail `json:"builds"`               // newest first
	TagObject string        `json:"tag_object,omitempty"` // hex, of the annotated tag
	Signature *TagSignature `json:"signature,omitempty"`  // of an annotated tag

	// From the image itself, once it is BUILT.
	Platform  string       `json:"platform,omitempty"`  // "linux/amd64"; of several the first, which the rest is of
	Platforms []string     `json:"platforms,omitempty"` // all
	Layers    []Layer      `json:"layers,omitempty"`    // base first
	Config    *ImageConfig `json:"config,omitempty"`
}
