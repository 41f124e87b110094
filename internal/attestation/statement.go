package attestation

import (
	"encoding/json"
	"slices"
	"strings"
)

// ProvenancePredicate is Statement.PredicateType where Predicate is a Provenance.
const ProvenancePredicate = "https://slsa.dev/provenance/v1"

// SPDXPredicate is Statement.PredicateType where Predicate is a document of SPDX in JSON, as cosign has it.
const SPDXPredicate = "https://spdx.dev/Document"

// PredicateAnnotation is the annotation of an envelope's layer and manifest that has the predicate's type.
const PredicateAnnotation = "predicateType"

const inTotoStatement = "https://in-toto.io/Statement/v1"

// Statement says something of images.
type Statement struct {
	Type          string          `json:"_type"`
	Subject       []Resource      `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// Resource is something that has digests: hex, by algorithm.
type Resource struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	MediaType   string            `json:"mediaType,omitempty"`
	Content     []byte            `json:"content,omitempty"`
	Annotations map[string]any    `json:"annotations,omitempty"`
}

// NewStatement says something of one image. name is its repository with the registry's host, digest "sha256:…".
func NewStatement(name, digest, predicateType string, predicate any) (Statement, error) {
	algorithm, hex, _ := strings.Cut(digest, ":")
	raw, err := json.Marshal(predicate)
	return Statement{
		Type: inTotoStatement, Subject: []Resource{{Name: name, Digest: map[string]string{algorithm: hex}}},
		PredicateType: predicateType, Predicate: raw,
	}, err
}

// IsAbout reports whether an image with the digest is among those that the statement is about.
func (s Statement) IsAbout(digest string) bool {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return s.Type == inTotoStatement && slices.ContainsFunc(s.Subject, func(r Resource) bool { return hex != "" && r.Digest[algorithm] == hex })
}
