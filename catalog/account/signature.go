package account

import (
	"context"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/signature"
)

var _ catalog.TagVerifier = (*Service)(nil)

// VerifyTag implements catalog.TagVerifier. The name that a tag gives itself is signed, so that no signature is good for another
// tag. Its tagger is only what its maker says.
func (s *Service) VerifyTag(ctx context.Context, namespace, name string, object []byte) (catalog.TagSignature, error) {
	tag, err := signature.ParseTag(object)
	if err != nil {
		return catalog.TagSignature{Reason: err.Error()}, nil //nolint:nilerr // it is in the answer
	}
	found := catalog.TagSignature{Kind: catalog.SignatureKind(signature.KindOf(tag.Signature))}
	if found.Kind == "" {
		found.Kind = catalog.SignatureNone
		return found, nil
	}
	if tag.Name != name {
		found.Reason = fmt.Sprintf("it is a renamed tag, which was signed as %.100q; make it again with git tag -f -s %s", tag.Name, name)
		return found, nil
	}
	switch found.Kind {
	case catalog.SignatureSSH:
		err = s.verifySSH(ctx, namespace, tag, &found)
	case catalog.SignatureOpenPGP:
		err = s.verifyOpenPGP(ctx, namespace, tag, &found)
	default:
		err = catalog.Errorf(catalog.Invalid, "X.509 signatures are not supported; sign with an SSH or OpenPGP key (git config gpg.format)")
	}
	if catalog.CodeOf(err) == catalog.Invalid {
		found.Reason, err = catalog.MessageOf(err), nil
	}
	return found, err
}

func (s *Service) verifySSH(ctx context.Context, namespace string, tag signature.Tag, found *catalog.TagSignature) error {
	key, err := signature.VerifySSH(tag.Text, tag.Signature)
	if err != nil {
		return notGood(err)
	}
	found.Key = ssh.FingerprintSHA256(signature.KeyOf(key))
	keys, err := s.users.SigningKeys(ctx, namespace, catalog.KeySSH, found.Key)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return unknownKey("SSH key", found.Key, namespace)
	}
	found.Verified, found.Signer = true, keys[0].User
	return nil
}

func (s *Service) verifyOpenPGP(ctx context.Context, namespace string, tag signature.Tag, found *catalog.TagSignature) error {
	issuer, err := signature.Issuer(tag.Signature)
	if err != nil {
		return notGood(err)
	}
	found.Key = issuer
	keys, err := s.users.SigningKeys(ctx, namespace, catalog.KeyOpenPGP, issuer)
	if err != nil {
		return err
	}
	err = unknownKey("OpenPGP key", issuer, namespace)
	for _, k := range keys {
		var key signature.OpenPGPKey
		if key, err = signature.ParseOpenPGPKey(k.PublicKey); err == nil {
			err = key.Verify(tag.Text, tag.Signature, s.now())
		}
		if err == nil {
			found.Verified, found.Signer, found.Key = true, k.User, k.Fingerprint
			return nil
		}
		err = notGood(err)
	}
	return err
}

// notGood is what signature says of a signature or a key.
func notGood(err error) error { return catalog.Wrap(catalog.Invalid, err, "%s", err) }

// unknownKey does not tell whether the key is that of a user elsewhere.
func unknownKey(what, id, namespace string) error {
	return catalog.Errorf(catalog.Invalid, "the %s %s is not known as that of a user who may push to %s; if it is yours, add it with fandogh key add FILE", what, id, namespace)
}
