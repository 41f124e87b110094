package gitserver

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"

	gossh "golang.org/x/crypto/ssh"
)

// OpenSSH's way for a client to learn the host keys that it did not see in the
// handshake: it is sent all, and asks for proof of those that are new to it.
const (
	notifyHostKeys = "hostkeys-00@openssh.com"
	proveHostKeys  = "hostkeys-prove-00@openssh.com"
)

// notifyKeys names the host keys to the client.
func (c *connection) notifyKeys() {
	var blobs []byte
	for _, key := range c.server.announced {
		blobs = append(blobs, wireString(key.PublicKey().Marshal())...)
	}
	_, _, _ = c.ssh.SendRequest(notifyHostKeys, false, blobs) // fails with the connection alone
}

// proveKeys signs for the host keys that a client asks about, each once. It
// returns nil where it asks for anything else.
func (c *connection) proveKeys(asked []byte) []byte {
	var signatures []byte
	for left := c.server.announced; len(asked) > 0; {
		var next struct {
			Blob []byte
			Rest []byte `ssh:"rest"`
		}
		if gossh.Unmarshal(asked, &next) != nil {
			return nil
		}
		i := slices.IndexFunc(left, func(k gossh.Signer) bool { return bytes.Equal(k.PublicKey().Marshal(), next.Blob) })
		if i < 0 {
			return nil
		}
		signature, err := c.proveKey(left[i])
		if err != nil {
			c.server.config.Logger.Error("failed to prove a host key", "error", err)
			return nil
		}
		signatures = append(signatures, wireString(signature)...)
		left, asked = slices.Delete(slices.Clone(left), i, i+1), next.Rest
	}
	return signatures
}

func (c *connection) proveKey(key gossh.Signer) ([]byte, error) {
	statement := gossh.Marshal(struct {
		Request         string
		Session, Public []byte
	}{proveHostKeys, c.ssh.SessionID(), key.PublicKey().Marshal()})
	with, ok := key.(gossh.MultiAlgorithmSigner)
	if !ok {
		return nil, fmt.Errorf("a %s host key does not report its signature algorithms", key.PublicKey().Type())
	}
	algorithm := with.Algorithms()[0]
	// Where the handshake was by RSA, the client wants the same hash again.
	if meta, ok := c.ssh.Conn.(gossh.AlgorithmsConnMetadata); ok && slices.Contains(with.Algorithms(), meta.Algorithms().HostKey) {
		algorithm = meta.Algorithms().HostKey
	}
	signature, err := with.SignWithAlgorithm(rand.Reader, statement, algorithm)
	if err != nil {
		return nil, err
	}
	return gossh.Marshal(signature), nil
}

// wireString puts a length before bytes.
func wireString(b []byte) []byte { return gossh.Marshal(struct{ Bytes []byte }{b}) }
