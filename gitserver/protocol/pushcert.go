package protocol

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"strings"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/packets"
	"github.com/fandoghpaas/fandogh/internal/signature"
)

// maxCertSignature bounds a signature, in bytes.
const maxCertSignature = 64 << 10

// pushCert is what a client signed of its push (git push --signed).
type pushCert struct {
	text      []byte   // what was signed: who, where to, the nonce and the commands
	signature []byte   // armored
	nonce     string   // that the client was given
	options   []string // push options, which must be those that follow
}

// readCert reads a certificate up to its end, and its commands.
func (req *pushRequest) readCert(in *packets.Reader) error {
	req.cert = &pushCert{}
	inHeader, inSignature := true, false
	for {
		line, kind, err := in.Next()
		if err != nil {
			return err
		}
		if kind != packets.Line || len(req.cert.signature) > maxCertSignature {
			return catalog.Errorf(catalog.Invalid, "the client sent a push certificate without an end")
		}
		switch {
		case string(line) == "push-cert-end":
			return nil
		case inSignature || bytes.HasPrefix(line, []byte("-----BEGIN ")):
			inSignature = true
			req.cert.signature = append(append(req.cert.signature, line...), '\n')
			continue
		case len(line) == 0:
			inHeader = false
		case inHeader:
			word, value, _ := strings.Cut(string(line), " ")
			switch word {
			case "nonce":
				req.cert.nonce = value
			case "push-option":
				req.cert.options = append(req.cert.options, value)
			}
		default:
			if err := req.addCommand(line); err != nil {
				return err
			}
		}
		req.cert.text = append(append(req.cert.text, line...), '\n')
	}
}

// newNonce makes what a client must sign, so that no certificate is used twice.
func newNonce() string { return rand.Text() }

// signer returns who signed a push: the fingerprint of a key of the user, or in words that it was not with
// SSH, for which there are no keys here to verify it. Errors: Forbidden.
func (p *push) signer(ctx context.Context) (string, error) {
	cert := p.req.cert
	if cert.nonce != p.nonce || !slices.Equal(cert.options, p.req.options) {
		return "", catalog.Errorf(catalog.Forbidden, "the push certificate is for another push; push again")
	}
	if signature.KindOf(cert.signature) != signature.SSH {
		return "not verified: not an SSH signature", nil
	}
	key, err := signature.VerifySSH(cert.text, cert.signature)
	if err != nil {
		return "", catalog.Wrap(catalog.Forbidden, err, "the push certificate's signature is not valid; push again")
	}
	fingerprint := gossh.FingerprintSHA256(signature.KeyOf(key))
	keys, err := p.handler.keys.ListKeys(ctx, p.user.User.ID)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(keys, func(k catalog.Key) bool { return k.Fingerprint == fingerprint }) {
		return "", catalog.Errorf(catalog.Forbidden, "the push is signed with key %s, which is not one of your keys here; add it with fandogh key add FILE", fingerprint)
	}
	return fingerprint, nil
}
