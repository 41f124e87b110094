package attestation

import (
	"encoding/json"
	"errors"
	"fmt"
)

// EnvelopeType is the media type of a layer that is an Envelope.
const EnvelopeType = "application/vnd.dsse.envelope.v1+json"

// StatementType is the payload type of envelopes with statements, and the artifact type of manifests that have one.
const StatementType = "application/vnd.in-toto+json"

// Envelope is a signed text, by DSSE.
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []Signature `json:"signatures"`
}

// Signature is one of an Envelope.
type Signature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   []byte `json:"sig"`
}

// preAuthentication is what DSSE signs.
func preAuthentication(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Seal signs a statement.
func Seal(key PrivateKey, s Statement) (Envelope, error) {
	payload, err := json.Marshal(s)
	if err != nil {
		return Envelope{}, err
	}
	signature, err := key.Sign(preAuthentication(StatementType, payload))
	return Envelope{StatementType, payload, []Signature{{Sig: signature}}}, err
}

// ErrUnsigned says that none of the keys has signed an envelope.
var ErrUnsigned = errors.New("the signature is not by a known key, or what was signed has changed")

// Open returns the statement that one of the keys has signed, and which. Errors: ErrUnsigned.
func (e Envelope) Open(keys []PublicKey) (Statement, PublicKey, error) {
	text := preAuthentication(e.PayloadType, e.Payload)
	for _, key := range keys {
		for _, signature := range e.Signatures {
			if !key.Verify(text, signature.Sig) {
				continue
			}
			var s Statement
			if e.PayloadType != StatementType {
				return s, key, fmt.Errorf("what was signed is %q, not an in-toto statement", e.PayloadType)
			}
			return s, key, json.Unmarshal(e.Payload, &s)
		}
	}
	return Statement{}, PublicKey{}, ErrUnsigned
}
