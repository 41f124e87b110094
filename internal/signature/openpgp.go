package signature

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

const (
	// MaxOpenPGPKey bounds an armored public key, in bytes.
	MaxOpenPGPKey = 64 << 10
	// maxPGPBits bounds the numbers of keys; GnuPG makes none that are longer.
	maxPGPBits = 16 << 10
	// maxKeyIDs bounds the parts of one key.
	maxKeyIDs = 32
)

// OpenPGPKey is a user's public key: a primary one, and subkeys.
type OpenPGPKey struct {
	Fingerprint string   // of the primary key, hex in capitals
	KeyIDs      []string // of all that may sign, 16 hex digits each
	Name        string   // its user ID
	entity      *openpgp.Entity
}

// ParseOpenPGPKey reads one armored public key. Errors: *Error.
func ParseOpenPGPKey(armored string) (OpenPGPKey, error) {
	const example = "give the output of gpg --armor --export-options export-minimal --export KEY"
	text := strings.TrimSpace(armored)
	switch {
	case strings.Contains(text, "PRIVATE KEY BLOCK"):
		return OpenPGPKey{}, invalid(nil, "this is a private key: keep it secret, and %s", example)
	case len(text) > MaxOpenPGPKey:
		return OpenPGPKey{}, invalid(nil, "this OpenPGP key is larger than %d KiB; %s", MaxOpenPGPKey>>10, example)
	case strings.Count(text, "-----BEGIN ") != 1:
		return OpenPGPKey{}, invalid(nil, "this is not one OpenPGP public key; %s", example)
	}
	entity, err := readEntity(text)
	if errors.Is(err, errSeveral) {
		return OpenPGPKey{}, invalid(nil, "this is more than one OpenPGP key; add them one at a time")
	}
	if err != nil {
		return OpenPGPKey{}, invalid(err, "this OpenPGP key can't be read; %s", example)
	}
	if bits, err := entity.PrimaryKey.BitLength(); err == nil && bits > maxPGPBits {
		return OpenPGPKey{}, invalid(nil, "this OpenPGP key is longer than %d bits", maxPGPBits)
	}
	key := OpenPGPKey{Fingerprint: fmt.Sprintf("%X", entity.PrimaryKey.Fingerprint), entity: entity}
	if _, identity := entity.PrimaryIdentity(time.Time{}, nil); identity != nil {
		key.Name = strings.ToValidUTF8(strings.Map(printable, identity.Name), "")
	}
	key.KeyIDs = append(key.KeyIDs, entity.PrimaryKey.KeyIdString())
	for i := range entity.Subkeys {
		sub := &entity.Subkeys[i]
		// One that does not vouch for the primary key is another's.
		if _, err := sub.Verify(time.Time{}, nil); sub.PublicKey.PubKeyAlgo.CanSign() && (err == nil || errors.Is(err, pgperrors.ErrKeyRevoked)) {
			key.KeyIDs = append(key.KeyIDs, sub.PublicKey.KeyIdString())
		}
	}
	if len(key.KeyIDs) > maxKeyIDs {
		return OpenPGPKey{}, invalid(nil, "this OpenPGP key has more than %d subkeys", maxKeyIDs)
	}
	return key, nil
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// errSeveral says that there is more than one key where one is expected.
var errSeveral = errors.New("more than one key")

// readEntity reads one key, and nothing after it.
func readEntity(text string) (*openpgp.Entity, error) {
	b, err := armor.Decode(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if b.Type != openpgp.PublicKeyType {
		return nil, fmt.Errorf("the armor is of a %q", b.Type)
	}
	packets := packet.NewReader(io.LimitReader(b.Body, MaxOpenPGPKey))
	entity, err := openpgp.ReadEntity(packets)
	if err != nil {
		return nil, err
	}
	if entity.PrivateKey != nil {
		return nil, errors.New("it is a private key")
	}
	if _, err := packets.Next(); !errors.Is(err, io.EOF) {
		return nil, errSeveral
	}
	return entity, nil
}

// Usable says why nothing that the key signs would be taken now, nil if it may be. Errors: *Error.
func (k OpenPGPKey) Usable(now time.Time) error {
	if _, err := k.entity.VerifyPrimaryKey(now, nil); err != nil {
		return invalid(err, "the OpenPGP key %s", why(err))
	}
	if _, ok := k.entity.SigningKey(now, nil); !ok {
		return invalid(nil, "the OpenPGP key has no part that may sign and is strong enough (RSA of 2048 bits or more, Ed25519, ECDSA), or none that is still valid")
	}
	return nil
}

// why is an error of a key or a signature, to follow on what it is about.
func why(err error) string {
	switch {
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return "is revoked"
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return "has expired"
	case errors.Is(err, pgperrors.ErrSignatureExpired):
		return "has expired, or is from the future"
	case errors.Is(err, pgperrors.ErrSignatureOlderThanKey):
		return "is older than its key"
	}
	return "is not valid: " + strings.TrimPrefix(err.Error(), "openpgp: ")
}

// readOpenPGP reads the one signature of an armored block.
func readOpenPGP(armored []byte) (whole []byte, s *packet.Signature, err error) {
	if whole, err = block(armored, openpgp.SignatureType); err != nil {
		return nil, nil, err
	}
	b, err := armor.Decode(bytes.NewReader(whole))
	if err != nil {
		return nil, nil, invalid(err, "the OpenPGP signature can't be read")
	}
	for packets := packet.NewReader(io.LimitReader(b.Body, maxArmor)); ; {
		p, err := packets.Next()
		if errors.Is(err, io.EOF) && s != nil {
			return whole, s, nil
		}
		next, ok := p.(*packet.Signature)
		if err != nil || !ok || next.IssuerKeyId == nil {
			return nil, nil, invalid(err, "the OpenPGP signature can't be read")
		}
		if s != nil {
			return nil, nil, invalid(nil, "there are several OpenPGP signatures, of which git takes none")
		}
		s = next
	}
}

// Issuer returns the ID of the key that an OpenPGP signature says it is of, as OpenPGPKey.KeyIDs has it. Errors: *Error.
func Issuer(armored []byte) (string, error) {
	_, s, err := readOpenPGP(armored)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%016X", *s.IssuerKeyId), nil
}

// Verify checks an OpenPGP signature. The key must be good now, and have been when it signed: the signature's own time is whatever its
// maker wants it to be. Errors: *Error.
func (k OpenPGPKey) Verify(text, armored []byte, now time.Time) error {
	whole, s, err := readOpenPGP(armored)
	if err != nil {
		return err
	}
	if err := k.Usable(now); err != nil {
		return err
	}
	if _, ok := k.entity.SigningKeyById(now, *s.IssuerKeyId, nil); !ok {
		return invalid(nil, "the part %016X of the OpenPGP key is expired, revoked, weak, or not for signing", *s.IssuerKeyId)
	}
	config := &packet.Config{Time: func() time.Time { return now }}
	_, _, err = openpgp.VerifyArmoredDetachedSignature(openpgp.EntityList{k.entity}, bytes.NewReader(text), bytes.NewReader(whole), config)
	if err != nil {
		return invalid(err, "the OpenPGP signature %s", why(err))
	}
	return nil
}
