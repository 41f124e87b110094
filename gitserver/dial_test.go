package gitserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	gossh "golang.org/x/crypto/ssh"
)

// sharedHostKeys are made once for all tests: an RSA key takes a while.
var sharedHostKeys = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "hostkeys")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if _, err := serverKeys(dir); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, kind := range hostKeyKinds {
		if files[kind.file], err = os.ReadFile(filepath.Join(dir, kind.file)); err != nil {
			return nil, err
		}
	}
	return files, nil
})

// hostKeyDir is a directory that holds host keys.
func hostKeyDir(t *testing.T) string {
	t.Helper()
	files, err := sharedHostKeys()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, key := range files {
		if err := os.WriteFile(filepath.Join(dir, name), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// signer is a user's key.
func (e *env) signer(user string) gossh.Signer {
	e.t.Helper()
	text, err := os.ReadFile(e.key(user))
	if err != nil {
		e.t.Fatal(err)
	}
	signer, err := gossh.ParsePrivateKey(text)
	if err != nil {
		e.t.Fatal(err)
	}
	return signer
}

// connect logs in with a key by a client that does only what it is told.
func (e *env) connect(login string, signer gossh.Signer) (*gossh.Client, error) {
	return gossh.Dial("tcp", "127.0.0.1:"+e.port, &gossh.ClientConfig{
		User: login, Auth: []gossh.AuthMethod{gossh.PublicKeys(signer)}, HostKeyCallback: gossh.InsecureIgnoreHostKey(), //nolint:gosec // our own server
	})
}

// dial is connect for a user who may.
func (e *env) dial(user string) *gossh.Client {
	e.t.Helper()
	client, err := e.connect("git", e.signer(user))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = client.Close() })
	return client
}

// talk runs ssh with its own words for what goes wrong, banners too.
func (e *env) talk(user string, args ...string) (string, error) {
	e.t.Helper()
	all := []string{"-o", "LogLevel=INFO"} // of one option the first counts
	all = append(append(all, e.sshArgs(user)...), args...)
	out, err := exec.CommandContext(e.t.Context(), "ssh", all...).CombinedOutput()
	return string(out), err
}
