package repository

import (
	"errors"
	"net"
	"os"
	"sync"

	"github.com/skeema/knownhosts"
	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
)

// hostKeys are the SSH servers we have met, in a known_hosts file. A new one
// is trusted at first sight; from then on it must show the same key.
type hostKeys struct{ file string }

// hostKeysLock serialises additions, to whichever file.
var hostKeysLock sync.Mutex

func (k hostKeys) open() (*knownhosts.HostKeyDB, error) {
	f, err := os.OpenFile(k.file, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return knownhosts.NewDB(k.file)
}

// algorithms returns the kinds of key a host is known by, so that it is asked
// for one of those.
func (k hostKeys) algorithms(host string) ([]string, error) {
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(host, "22")
	}
	db, err := k.open()
	if err != nil {
		return nil, err
	}
	return db.HostKeyAlgorithms(host), nil
}

func (k hostKeys) check(host string, address net.Addr, key gossh.PublicKey) error {
	hostKeysLock.Lock()
	defer hostKeysLock.Unlock()
	db, err := k.open()
	if err != nil {
		return err
	}
	err = db.HostKeyCallback()(host, address, key)
	switch {
	case knownhosts.IsHostUnknown(err):
		return k.add(host, address, key)
	case knownhosts.IsHostKeyChanged(err):
		return catalog.Wrap(catalog.Forbidden, err, "the host key of the SSH server %s has changed (%s); if that is expected, ask the server's administrator to remove the old key from %s", host, gossh.FingerprintSHA256(key), k.file)
	}
	return err
}

func (k hostKeys) add(host string, address net.Addr, key gossh.PublicKey) error {
	f, err := os.OpenFile(k.file, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(knownhosts.WriteKnownHost(f, host, address, key), f.Sync(), f.Close())
}
