package secrets_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/hooks/secrets"
)

func open(t *testing.T, file string) *secrets.Keyring {
	t.Helper()
	keyring, err := secrets.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

func TestKeyring(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	sealed := open(t, file).Seal([]byte("geheim"), "image 1")
	if bytes.Contains(sealed, []byte("geheim")) {
		t.Error("the secret can be read")
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	again := open(t, file)
	if got, err := again.Open(sealed, "image 1"); err != nil || string(got) != "geheim" {
		t.Errorf("got %q, %v", got, err)
	}
	if bytes.Equal(sealed, again.Seal([]byte("geheim"), "image 1")) {
		t.Error("equal secrets look equal")
	}
	for what, open := range map[string]func() ([]byte, error){
		"another row": func() ([]byte, error) { return again.Open(sealed, "image 2") },
		"another key": func() ([]byte, error) {
			return open(t, filepath.Join(t.TempDir(), "key")).Open(sealed, "image 1")
		},
		"changed": func() ([]byte, error) { return again.Open(append([]byte{sealed[0] ^ 1}, sealed[1:]...), "image 1") },
		"nothing": func() ([]byte, error) { return again.Open(nil, "image 1") },
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s: opened as %q", what, got)
		}
	}
}

func TestBadKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.Open(file); err == nil {
		t.Error("a short key was taken")
	}
	if _, err := secrets.Open(filepath.Join(t.TempDir(), "missing", "key")); err == nil {
		t.Error("a missing directory gave no error")
	}
}

// sealed is a store, as far as the key file asks it.
type sealed bool

func (s sealed) HasSealed(context.Context) (bool, error) { return bool(s), nil }

// A key file that is lost is not replaced while something needs it.
func TestMissingKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secrets.key")
	if _, err := secrets.OpenBeside(t.Context(), sealed(true), file); err == nil || !strings.Contains(err.Error(), file+" does not exist") {
		t.Errorf("beside secrets: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key was made: %v", err)
	}
	made, err := secrets.OpenBeside(t.Context(), sealed(false), file)
	if err != nil {
		t.Fatalf("beside none: %v", err)
	}
	again, err := secrets.OpenBeside(t.Context(), sealed(true), file)
	if err != nil {
		t.Fatalf("the next start: %v", err)
	}
	if _, err := again.Open(made.Seal([]byte("x"), "a"), "a"); err != nil {
		t.Error(err)
	}
	given := []byte(strings.Repeat("0a", 32)) // without an end of line, as a hand may write it
	if err := os.WriteFile(file, given, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.OpenBeside(t.Context(), sealed(true), file); err != nil {
		t.Errorf("a key that was put there: %v", err)
	}
}

func TestDerive(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	derive := func(keyring *secrets.Keyring, purpose string) string {
		t.Helper()
		key, err := keyring.Derive(purpose)
		if err != nil || len(key) != 32 {
			t.Fatalf("%d bytes, %v", len(key), err)
		}
		return string(key)
	}
	key := derive(open(t, file), "uploads")
	if derive(open(t, file), "uploads") != key {
		t.Error("the next start derives another key")
	}
	if derive(open(t, file), "others") == key || derive(open(t, filepath.Join(t.TempDir(), "key")), "uploads") == key {
		t.Error("other purposes and key files have the same key")
	}
}
