package attestation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
)

// PrivateKey signs.
type PrivateKey struct {
	key    *ecdsa.PrivateKey
	public PublicKey
}

// PublicKey checks signatures.
type PublicKey struct {
	key *ecdsa.PublicKey
	// Fingerprint is "SHA256:" and the hex SHA-256 of the key's DER form, as of
	// `openssl pkey -pubin -outform DER | sha256sum`.
	Fingerprint string
}

// NewKey makes a private key, in PEM.
func NewKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

const wantedKey = "an unencrypted ECDSA P-256 private key in PEM, as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes"

// ParsePrivateKey reads a private key in PEM, of PKCS #8 or SEC 1. Its errors say what it must be, and tell nothing of it.
func ParsePrivateKey(text []byte) (PrivateKey, error) {
	block, _ := pem.Decode(text)
	for block != nil && block.Type == "EC PARAMETERS" { // which openssl ecparam writes before the key
		block, text = pem.Decode(text)
	}
	if block == nil {
		return PrivateKey{}, errors.New("it must be " + wantedKey)
	}
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return PrivateKey{}, fmt.Errorf("it has a PEM block %q; it must be %s", block.Type, wantedKey)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return PrivateKey{}, errors.New("it must be " + wantedKey)
	}
	public, err := publicKey(&key.PublicKey)
	return PrivateKey{key, public}, err
}

// Public returns the key's public one.
func (k PrivateKey) Public() PublicKey { return k.public }

// Sign returns an ASN.1 signature of a text's SHA-256, the same each time.
func (k PrivateKey) Sign(text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	return k.key.Sign(nil, sum[:], crypto.SHA256) // without a source of chance: RFC 6979
}

// ParsePublicKeys reads one public key or several, in PEM.
func ParsePublicKeys(text []byte) ([]PublicKey, error) {
	const wanted = "an ECDSA P-256 public key in PEM, as `fandoghd admin signing-key` prints"
	var keys []PublicKey
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		key, ok := parsed.(*ecdsa.PublicKey)
		if err != nil || !ok || key.Curve != elliptic.P256() {
			return nil, errors.New("it must be " + wanted)
		}
		public, err := publicKey(key)
		if err != nil {
			return nil, err
		}
		keys = append(keys, public)
	}
	if len(keys) == 0 {
		return nil, errors.New("it contains no PEM block; it must be " + wanted)
	}
	return keys, nil
}

func publicKey(key *ecdsa.PublicKey) (PublicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	sum := sha256.Sum256(der)
	return PublicKey{key, "SHA256:" + hex.EncodeToString(sum[:])}, err
}

// PEM returns the key as cosign and openssl read it.
func (k PublicKey) PEM() string {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return "" // it was made of such a form
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// Verify reports whether a signature is this key's, of a text.
func (k PublicKey) Verify(text, signature []byte) bool {
	sum := sha256.Sum256(text)
	return ecdsa.VerifyASN1(k.key, sum[:], signature)
}
