package gitserver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// hostKeyBits is the size of an RSA host key, as ssh-keygen makes them.
const hostKeyBits = 3072

// hostKeyKinds are the host keys there are, by their files' names, with what
// makes them. Ed25519 is what clients want; the others are for those that lack it.
var hostKeyKinds = []struct {
	file     string
	generate func() (crypto.PrivateKey, error)
}{
	{"ssh_host_ed25519_key", func() (crypto.PrivateKey, error) {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}},
	{"ssh_host_ecdsa_key", func() (crypto.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
	{"ssh_host_rsa_key", func() (crypto.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, hostKeyBits) }},
}

// serverKeys reads the server's keys, Ed25519 first. One that is not there is made.
func serverKeys(dir string) ([]gossh.Signer, error) {
	var keys []gossh.Signer
	for _, kind := range hostKeyKinds {
		key, err := hostKey(filepath.Join(dir, kind.file), kind.generate)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// hostKey reads one key, made at the first start. A key that can't be read is
// never replaced: every client would be warned of an attack.
func hostKey(path string, generate func() (crypto.PrivateKey, error)) (gossh.Signer, error) {
	if err := makeHostKey(path, generate); err != nil {
		return nil, err
	}
	return readHostKey(path)
}

func readHostKey(path string) (gossh.Signer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the SSH host key %s: %w", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the SSH host key %s can be read by others (mode %04o); run chmod 600 on it", path, info.Mode().Perm())
	}
	signer, err := gossh.ParsePrivateKey(data)
	if err != nil {
		return nil, fmt.Errorf("the SSH host key %s is damaged; restore it from a backup, or remove it to create a new one, which makes clients warn of a changed key: %w", path, err)
	}
	if with, ok := signer.(gossh.AlgorithmSigner); ok && signer.PublicKey().Type() == gossh.KeyAlgoRSA {
		return gossh.NewSignerWithAlgorithms(with, []string{gossh.KeyAlgoRSASHA512, gossh.KeyAlgoRSASHA256})
	}
	return signer, nil
}

// makeHostKey makes a key where there is none.
func makeHostKey(path string, generate func() (crypto.PrivateKey, error)) (err error) {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("create the SSH host key %s: %w", path, err)
		}
	}()
	private, err := generate()
	if err != nil {
		return err
	}
	block, err := gossh.MarshalPrivateKey(private, "fandogh")
	if err != nil {
		return err
	}
	err = atomicfile.Create(path, pem.EncodeToMemory(block), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
