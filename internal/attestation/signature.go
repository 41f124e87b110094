package attestation

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Types of signatures of images as cosign has them: of the layer, and of a manifest that refers to the image.
const (
	SignatureType     = "application/vnd.dev.cosign.simplesigning.v1+json"
	SignatureArtifact = "application/vnd.dev.cosign.artifact.sig.v1+json"
)

// SignatureAnnotation is the annotation of such a layer that has the signature of its content, in base64.
const SignatureAnnotation = "dev.cosignproject.cosign/signature"

// simple is what cosign signs of an image.
type simple struct {
	Critical simpleCritical `json:"critical"`
	Optional any            `json:"optional"`
}

type simpleCritical struct {
	Identity struct {
		Reference string `json:"docker-reference"`
	} `json:"identity"`
	Image struct {
		Digest string `json:"docker-manifest-digest"`
	} `json:"image"`
	Type string `json:"type"`
}

// SignImage signs an image as cosign does. It returns what is a layer's content, and the value of its
// SignatureAnnotation.
func SignImage(key PrivateKey, name, digest string) (content []byte, signature string, err error) {
	var s simple
	s.Critical.Identity.Reference, s.Critical.Image.Digest, s.Critical.Type = name, digest, "cosign container image signature"
	if content, err = json.Marshal(s); err != nil {
		return nil, "", err
	}
	raw, err := key.Sign(content)
	return content, base64.StdEncoding.EncodeToString(raw), err
}

// VerifyImage returns which of the keys has signed an image by its digest. Errors: ErrUnsigned.
func VerifyImage(keys []PublicKey, content []byte, signature, digest string) (PublicKey, error) {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return PublicKey{}, ErrUnsigned
	}
	for _, key := range keys {
		if !key.Verify(content, raw) {
			continue
		}
		var s simple
		if err := json.Unmarshal(content, &s); err != nil {
			return key, err
		}
		if s.Critical.Image.Digest != digest {
			return key, fmt.Errorf("what key %s has signed is %s", key.Fingerprint, s.Critical.Image.Digest)
		}
		return key, nil
	}
	return PublicKey{}, ErrUnsigned
}
