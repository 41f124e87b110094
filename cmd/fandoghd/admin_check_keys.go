package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
	"github.com/fandoghpaas/fandogh/internal/attestation"
)

// keyFile is a key of the data directory.
type keyFile struct {
	name string
	why  string // it is needed; empty: a start of the daemon makes one that is missing
	// whole says by an error that a file is not such a key.
	whole func(path string) error
}

func (c *checker) keyFiles(ctx context.Context) []keyFile {
	opens := func(path string) error { return secrets.CheckKey(ctx, c.store, path) }
	if c.ofBackup { // in which it may be the key of one who gave the secrets up
		opens = secrets.CheckFile
	}
	return []keyFile{
		{secretsKey, "the stored secrets can't be read without it", opens},
		{"ssh_host_ed25519_key", "SSH clients refuse another one", wholeHostKey},
		{"ssh_host_ecdsa_key", "", wholeHostKey},
		{"ssh_host_rsa_key", "", wholeHostKey},
		{"signing.key", "", wholeSigningKey},
	}
}

func wholeSigningKey(path string) error {
	text, err := os.ReadFile(path)
	if err == nil {
		_, err = attestation.ParsePrivateKey(text)
	}
	return err
}

func wholeHostKey(path string) error {
	text, err := os.ReadFile(path)
	if err == nil {
		_, err = ssh.ParsePrivateKey(text)
	}
	return err
}

// keys looks for the keys that a daemon would make anew, as nothing fits them then, and for those that it can't use.
func (c *checker) keys(ctx context.Context) {
	for _, key := range c.keyFiles(ctx) {
		path := filepath.Join(c.data, key.name)
		fault := catalog.Fault{File: path, Whole: key.whole, Advice: "restore " + path + " from a backup"}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) && key.why == "" {
			continue
		}
		why := key.why
		if why == "" {
			why = "the daemon does not start with it"
		}
		switch {
		case err != nil:
			fault.What = fmt.Sprintf("the key can't be read: %v; %s", err, why)
		case info.Size() == 0:
			fault.What = fmt.Sprintf("%s is empty; %s", path, why)
		case key.whole(path) != nil:
			fault.What = fmt.Sprintf("%s is damaged, or another's: %v", path, key.whole(path))
		case info.Mode().Perm()&0o077 != 0:
			fault.What = fmt.Sprintf("%s has mode %04o; it must be 0600, for no other user may read it", path, info.Mode().Perm())
			fault.Mend = func(context.Context) (string, error) { return "its mode is 0600 now", os.Chmod(path, 0o600) }
		default:
			continue
		}
		c.report(fault)
	}
}
