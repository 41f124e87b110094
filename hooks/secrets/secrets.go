// Package secrets encrypts what must be stored and read back: webhook secrets,
// tokens, deploy keys. Who has the database but not the key file has nothing.
package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const keyBytes = 32

// Box seals and opens secrets with one key, by AES-256-GCM.
type Box struct{ aead cipher.AEAD }

// Open reads the key file, or makes it, mode 0600, when there is none.
func Open(file string) (*Box, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = create(file)
	}
	if err != nil {
		return nil, fmt.Errorf("the key of the stored secrets: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("%s does not hold %d bytes in hex; restore it from the backup of the database", file, keyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &Box{aead}, err
}

// create makes the key file by a rename, so that a crash leaves all of it or none.
func create(file string) (text []byte, err error) {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	text = []byte(hex.EncodeToString(key) + "\n")
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	return text, nil
}

// Seal encrypts a secret. about says what it belongs to; Open must be told the
// same, so that nobody passes one row's secret off as another's.
func (b *Box) Seal(secret []byte, about string) []byte {
	return b.aead.Seal(nil, nil, secret, []byte(about))
}

// Open decrypts what Seal returned.
func (b *Box) Open(sealed []byte, about string) ([]byte, error) {
	secret, err := b.aead.Open(nil, nil, sealed, []byte(about))
	if err != nil {
		return nil, fmt.Errorf("the stored secret of %s can't be read with this key file: %w", about, err)
	}
	return secret, nil
}
