package attestation

import (
	"strings"
	"time"
)

// Provenance is the predicate of ProvenancePredicate: how an image was built, as SLSA has it.
type Provenance struct {
	Definition Definition `json:"buildDefinition"`
	Run        Run        `json:"runDetails"`
}

// Definition says what was asked for, and of what it was made.
type Definition struct {
	BuildType string     `json:"buildType"`
	External  External   `json:"externalParameters"`
	Internal  Internal   `json:"internalParameters"`
	Resolved  []Resource `json:"resolvedDependencies"`
}

// External is what users decide.
type External struct {
	Image      string            `json:"image"` // namespace/name
	Version    string            `json:"version"`
	Repository string            `json:"repository"`          // namespace/name of the image whose git repository the commit is in; Image for most
	Tag        string            `json:"tag"`                 // in git
	TagPrefix  string            `json:"tagPrefix,omitempty"` // that the image's tags have before the version
	Branch     string            `json:"branch,omitempty"`    // that was pushed, where it was no tag
	Trigger    string            `json:"trigger"`
	Commit     string            `json:"commit"`
	Source     string            `json:"source,omitempty"` // URL of the repository elsewhere that it came from
	Dockerfile string            `json:"dockerfile"`       // path
	Context    string            `json:"context"`          // path
	Target     string            `json:"target,omitempty"`
	Platform   string            `json:"platform,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	NoCache    bool              `json:"noCache,omitempty"`
	Pull       bool              `json:"pull,omitempty"`
	KeepGit    bool              `json:"keepGit,omitempty"`
	Timestamps string            `json:"timestamps,omitempty"`
	Labels     string            `json:"labels,omitempty"`
	// Paths are patterns of the files of which it depended whether the image was built anew; without any, all files.
	Paths []string `json:"paths,omitempty"`
}

// NamesVersion reports whether the tag is one of the version, as docs/builds.md says what tags of several images are called.
func (e External) NamesVersion() bool {
	const separators = "/@"
	before, ok := strings.CutSuffix(strings.ReplaceAll(e.Tag, "+", "_"), e.Version)
	return ok && e.Version != "" && (before == strings.ReplaceAll(e.TagPrefix, "+", "_") || before == "" || strings.ContainsAny(before[len(before)-1:], separators))
}

// Internal is what the server added.
type Internal struct {
	// Secrets names those that steps could ask for; no value of one is in any part.
	Secrets []string `json:"secrets,omitempty"`
	// SameAs is the earlier version whose layers the image has; empty: it was built. With Paths, files that these leave out are that
	// version's, and need not be the commit's.
	SameAs string `json:"sameAs,omitempty"`
	// Tag is the annotated tag; nil for a lightweight one.
	Tag *Tag `json:"tag,omitempty"`
}

// Tag is a tag object of git.
type Tag struct {
	Object string `json:"object"` // hex
	// Signature is what stands in it: "ssh", "openpgp", "x509", or nothing. Who checks the content of the tag object learns by whom.
	Signature string `json:"signature,omitempty"`
	// Signer is the user whose key the server knew Key to be when the build was asked for, and who might push. Both are empty where
	// it could not verify the signature.
	Signer  string `json:"signer,omitempty"`
	Key     string `json:"key,omitempty"` // its fingerprint, "SHA256:…" of SSH, hex of OpenPGP
	Content []byte `json:"content"`       // what is hashed to Object, after git's header
}

// Run says who built it, and when.
type Run struct {
	Builder  Builder  `json:"builder"`
	Metadata Metadata `json:"metadata"`
}

// Builder is a Fandogh server.
type Builder struct {
	ID      string            `json:"id"` // its URL
	Version map[string]string `json:"version"`
}

// Metadata is about one run.
type Metadata struct {
	InvocationID string    `json:"invocationId"`
	StartedOn    time.Time `json:"startedOn"`
	FinishedOn   time.Time `json:"finishedOn"`
}
