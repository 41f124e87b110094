package api

// SigningKey is a public key with which the server signed versions.
type SigningKey struct {
	Fingerprint string `json:"fingerprint"` // "SHA256:" and the hex SHA-256 of its DER form
	PublicKey   string `json:"public_key"`  // PEM
}

// Origin is what a version's repository has of it now, as it is.
type Origin struct {
	Object string      `json:"object"` // hex; what the tag names, empty when there is no such tag
	Tags   []GitObject `json:"tags"`   // the tag objects of an annotated tag, from that on
	Commit GitObject   `json:"commit"`
	Tree   GitObject   `json:"tree"` // the commit's root directory
}

// GitObject is an object of git.
type GitObject struct {
	ID      string `json:"id"`      // hex; what should be its SHA-1
	Content []byte `json:"content"` // as git hashes it, without its header, in base64; null when it can't be read
}

// Comparison is what came of building a version again.
type Comparison struct {
	Digest      string       `json:"digest"`          // of the version, "sha256:…"
	Rebuilt     string       `json:"rebuilt"`         // of what was built again; empty with Error
	Differences []Difference `json:"differences"`     // in order; none though the digests differ: the files are the same, and what is around them is not
	More        bool         `json:"more"`            // there are others
	Error       string       `json:"error,omitempty"` // why there is nothing to compare
}

// Difference is one thing that two images do not have in common.
type Difference struct {
	Platform string `json:"platform,omitempty"` // of an image for several
	Layer    string `json:"layer,omitempty"`    // which, and what made it; empty: the configuration
	Name     string `json:"name"`               // of a file, from "/", or of a field
	What     string `json:"what"`               // "content", "mode 0644, was 0755", "added"
}
