// Package secrets encrypts what must be stored and read back: webhook secrets,
// tokens, deploy keys. The database tells nothing of it without the key file. Service keeps those
// that builds are given, and tells builds, and what else fetches for a namespace, what is theirs.
package secrets

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

const keyBytes = 32

// Keyring seals and opens secrets with one key, by AES-256-GCM.
type Keyring struct {
	key  []byte
	aead cipher.AEAD
}

// Open reads the key file, or makes it, mode 0600, when there is none.
func Open(file string) (*Keyring, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = create(file)
	}
	if err != nil {
		return nil, fmt.Errorf("the key of the stored secrets: %w", err)
	}
	return newKeyring(file, text)
}

// newKeyring makes what a key file's text says.
func newKeyring(file string, text []byte) (*Keyring, error) {
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("%s does not contain %d bytes in hex; restore it from the backup of the database", file, keyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &Keyring{key, aead}, err
}

// OpenBeside is Open beside a store. When that has values which were sealed, a key file that is missing is an error: a new one
// could not open them, and would be taken for theirs from then on.
func OpenBeside(ctx context.Context, store interface {
	HasSealed(ctx context.Context) (bool, error)
}, file string) (*Keyring, error) {
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		has, err := store.HasSealed(ctx)
		if err != nil {
			return nil, err
		}
		if has {
			return nil, fmt.Errorf("%[1]s does not exist, and the database has secrets that are encrypted with it; restore it from the backup of the data directory. "+
				"To give those secrets up, create a new key: (umask 077; openssl rand -hex %[2]d > %[1]s)", file, keyBytes)
		}
	}
	return Open(file)
}

// CheckFile says by an error that a file is no key. It makes none.
func CheckFile(file string) error {
	_, err := read(file)
	return err
}

func read(file string) (*Keyring, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return newKeyring(file, text)
}

// CheckKey is CheckFile, and says when the key opens none of the secrets that are stored for builds.
func CheckKey(ctx context.Context, store interface {
	catalog.Secrets
	catalog.Namespaces
}, file string) error {
	keyring, err := read(file)
	if err != nil {
		return err
	}
	namespaces, err := catalog.EveryNamespace(ctx, store)
	if err != nil {
		return err
	}
	var refused error
	for _, n := range append(namespaces, catalog.NamespaceSummary{}) { // without a name: the installation's
		stored, err := store.ListSecrets(ctx, n.Name)
		if err != nil {
			return err
		}
		for _, secret := range stored {
			if _, refused = keyring.Open(secret.Sealed, about(secret)); refused == nil {
				return nil
			}
		}
	}
	return refused
}

// Derive returns a key of 32 bytes for a purpose of its own, the same each time. It tells
// nothing about the key file's, or about those for other purposes.
func (k *Keyring) Derive(purpose string) ([]byte, error) {
	return hkdf.Expand(sha256.New, k.key, purpose, keyBytes)
}

// create makes the key file. Who is faster made the one there is.
func create(file string) (text []byte, err error) {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	text = []byte(hex.EncodeToString(key) + "\n")
	err = atomicfile.Create(file, text, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.ReadFile(file)
	}
	return text, err
}

// Seal encrypts a secret. The associated data say what it belongs to; Open must be told the
// same, so that one row's secret can't be passed off as another's.
func (k *Keyring) Seal(secret []byte, associatedData string) []byte {
	return k.aead.Seal(nil, nil, secret, []byte(associatedData))
}

// Open decrypts what Seal returned.
func (k *Keyring) Open(sealed []byte, associatedData string) ([]byte, error) {
	secret, err := k.aead.Open(nil, nil, sealed, []byte(associatedData))
	if err != nil {
		return nil, fmt.Errorf("failed to read the stored secret of %s with this key file: %w", associatedData, err)
	}
	return secret, nil
}
