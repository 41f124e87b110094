package signature

import (
	"bytes"

	"github.com/hiddeco/sshsig"
	gossh "golang.org/x/crypto/ssh"
)

// VerifySSH checks a signature of the namespace "git" and returns the key that made it, which may be a certificate: whose the
// key is, and whether an authority vouches for the certificate, is not looked at. Errors: *Error.
func VerifySSH(text, armored []byte) (gossh.PublicKey, error) {
	whole, err := block(armored, sshsig.PEMType)
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(whole, '\r') >= 0 {
		return nil, invalid(nil, "the SSH signature's lines end as on Windows, which ssh-keygen does not take")
	}
	s, err := sshsig.Unarmor(whole)
	if err != nil {
		return nil, invalid(err, "the SSH signature can't be read")
	}
	if KeyOf(s.PublicKey).Type() == gossh.KeyAlgoRSA && s.Signature.Format == gossh.KeyAlgoRSA { // sshsig does not look at certificates
		return nil, invalid(nil, "the SSH signature is made with SHA-1, which is too weak")
	}
	if s.Namespace != "git" {
		return nil, invalid(nil, "the SSH signature is for %q, not for git", s.Namespace)
	}
	if err := sshsig.Verify(bytes.NewReader(text), s, s.PublicKey, s.HashAlgorithm, "git"); err != nil {
		return nil, invalid(err, "the SSH signature does not match what is signed")
	}
	return s.PublicKey, nil
}

// KeyOf returns a certificate's key, and any other key as it is.
func KeyOf(key gossh.PublicKey) gossh.PublicKey {
	if cert, ok := key.(*gossh.Certificate); ok {
		return cert.Key
	}
	return key
}
