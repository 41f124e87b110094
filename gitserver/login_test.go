package gitserver

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// addKey gives alice another key.
func (e *env) addKey(key gossh.PublicKey) {
	e.t.Helper()
	alice, err := e.store.User(e.t.Context(), "alice")
	if err == nil {
		_, err = e.store.CreateKey(e.t.Context(), catalog.NewKey{UserID: alice.ID, Name: key.Type(), Fingerprint: gossh.FingerprintSHA256(key), PublicKey: string(gossh.MarshalAuthorizedKey(key))})
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// keygen runs ssh-keygen.
func keygen(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", append([]string{"-q"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %q: %v\n%s", args, err, out)
	}
}

func TestTodaysAlgorithmsAlone(t *testing.T) {
	h := newEnv(t, nil)
	today, past := gossh.SupportedAlgorithms(), gossh.InsecureAlgorithms()
	past.MACs = append(past.MACs, gossh.HMACSHA1)
	today.MACs = slices.DeleteFunc(today.MACs, func(mac string) bool { return mac == gossh.HMACSHA1 })
	// No key of the server is of these.
	foreign := func(algorithm string) bool {
		return strings.Contains(algorithm, "-cert-") || strings.Contains(algorithm, "384") || strings.Contains(algorithm, "521") || strings.Contains(algorithm, "mldsa")
	}
	today.HostKeys = slices.DeleteFunc(today.HostKeys, foreign)
	for _, c := range []struct {
		what        string
		set         func(*gossh.ClientConfig, string)
		today, past []string
	}{
		{"key exchange", func(c *gossh.ClientConfig, a string) { c.KeyExchanges = []string{a} }, today.KeyExchanges, past.KeyExchanges},
		{"cipher", func(c *gossh.ClientConfig, a string) { c.Ciphers = []string{a} }, ciphers(), past.Ciphers},
		{"MAC", func(c *gossh.ClientConfig, a string) {
			c.MACs, c.Ciphers = []string{a}, []string{gossh.CipherAES128CTR}
		}, today.MACs, past.MACs},
		{"host key", func(c *gossh.ClientConfig, a string) { c.HostKeyAlgorithms = []string{a} }, today.HostKeys, past.HostKeys},
	} {
		for i, algorithm := range append(slices.Clone(c.today), c.past...) {
			config := &gossh.ClientConfig{
				User: "git", Auth: []gossh.AuthMethod{gossh.PublicKeys(h.signer("alice"))}, HostKeyCallback: gossh.InsecureIgnoreHostKey(), //nolint:gosec // our own server
			}
			c.set(config, algorithm)
			client, err := gossh.Dial("tcp", "127.0.0.1:"+h.port, config)
			if wanted := i < len(c.today); wanted != (err == nil) {
				t.Errorf("%s %s: %v", c.what, algorithm, err)
			}
			if err == nil {
				_ = client.Close()
			}
		}
	}
}

// Who knows one host key learns the others, whichever was used at first.
func TestHostKeysAreLearnt(t *testing.T) {
	h := newEnv(t, nil)
	for _, algorithm := range []string{"ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "rsa-sha2-512"} {
		known := filepath.Join(t.TempDir(), "known_hosts")
		args := append([]string{"-o", "UserKnownHostsFile=" + known, "-o", "HostKeyAlgorithms=" + algorithm + ",ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512", "-o", "UpdateHostKeys=yes"}, h.sshArgs("alice")...)
		if out, err := exec.CommandContext(t.Context(), "ssh", append(args, "git@127.0.0.1", "images")...).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		// From now on the server is known. The others are asked for while the connection lasts.
		follow := exec.CommandContext(t.Context(), "ssh", append(args, "-N", "git@127.0.0.1")...)
		if err := follow.Start(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "three host keys by "+algorithm, func() bool {
			text, err := os.ReadFile(known)
			return err == nil && strings.Count(string(text), "\n") == 3
		})
		_ = follow.Process.Kill()
		_ = follow.Wait()
	}
}

// Who connected while there were next keys is not warned when they replace the others.
func TestHostKeysAreRotated(t *testing.T) {
	dir, known := t.TempDir(), filepath.Join(t.TempDir(), "known_hosts")
	step := func(check string, wanted int) {
		h := newEnv(t, func(c *Config) { c.HostKeyDir = dir })
		args := append([]string{
			"-o", "UserKnownHostsFile=" + known, "-o", "HostKeyAlias=fandogh", "-o", "UpdateHostKeys=yes", "-o", "StrictHostKeyChecking=" + check,
		}, h.sshArgs("alice")...)
		follow := exec.CommandContext(t.Context(), "ssh", append(args, "git@127.0.0.1", "images")...)
		if out, err := follow.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		follow = exec.CommandContext(t.Context(), "ssh", append(args, "-N", "git@127.0.0.1")...)
		if err := follow.Start(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, fmt.Sprint(wanted, " known host keys"), func() bool {
			text, err := os.ReadFile(known)
			return err == nil && strings.Count(string(text), "\n") == wanted
		})
		_ = follow.Process.Kill()
		_ = follow.Wait()
	}
	step("accept-new", 3)
	old, err := HostKeys(dir)
	if err != nil || len(old) != 3 {
		t.Fatalf("%v, %v", old, err)
	}
	if err := UseNextHostKeys(dir); !errors.Is(err, ErrNoNextKeys) {
		t.Errorf("without next keys: %v", err)
	}
	for range 2 {
		if err := MakeNextHostKeys(dir); err != nil {
			t.Fatal(err)
		}
	}
	both, err := HostKeys(dir)
	if err != nil || len(both) != 6 || both[0] != old[0] || !both[3].Next {
		t.Fatalf("%v, %v", both, err)
	}
	step("yes", 6)
	if err := UseNextHostKeys(dir); err != nil {
		t.Fatal(err)
	}
	step("yes", 3)
	now, err := HostKeys(dir)
	if err != nil || len(now) != 3 || now[0].Fingerprint != both[3].Fingerprint || now[0].Next {
		t.Errorf("%v, %v", now, err)
	}
}

func TestHostKeysAreProvedOnce(t *testing.T) {
	h := newEnv(t, nil)
	key := wireString(h.server.HostKey().Marshal())
	for what, c := range map[string]struct {
		asked []byte
		want  bool
	}{
		"a key": {key, true}, "a key twice": {slices.Concat(key, key), false}, "another key": {wireString([]byte("other")), false},
		"nothing": {nil, false}, "half of a key": {key[:20], false}, "much": {slices.Repeat(key, 3000), false},
	} {
		client := h.dial("alice")
		ok, proof, err := client.SendRequest(proveHostKeys, true, c.asked)
		if err != nil || ok != c.want || ok != (len(proof) > 0) {
			t.Errorf("%s: %v, %d bytes, %v", what, ok, len(proof), err)
		}
		if ok, _, err := client.SendRequest(proveHostKeys, true, key); ok || err != nil {
			t.Errorf("after %s: %v, %v", what, ok, err)
		}
	}
}

func TestLoginsByRSA(t *testing.T) {
	h := newEnv(t, nil)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gossh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	h.addKey(signer.PublicKey())
	for algorithm, want := range map[string]bool{gossh.KeyAlgoRSASHA256: true, gossh.KeyAlgoRSASHA512: true, gossh.KeyAlgoRSA: false} {
		with, err := gossh.NewSignerWithAlgorithms(signer.(gossh.AlgorithmSigner), []string{algorithm})
		if err != nil {
			t.Fatal(err)
		}
		client, err := h.connect("git", with)
		if want != (err == nil) {
			t.Errorf("%s: %v", algorithm, err)
		}
		if err == nil {
			_ = client.Close()
		}
	}
}

// authority is a certificate authority of real ssh-keygen, trusted by a host.
type authority struct {
	*env
	dir, trusted string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.trusted = filepath.Join(a.dir, "trusted")
	for _, name := range []string{"ca", "other"} {
		keygen(t, "-t", "ed25519", "-N", "", "-f", filepath.Join(a.dir, name))
	}
	a.trust(t, "ca")
	a.env = newEnv(t, func(c *Config) { c.TrustedUserCA = a.trusted })
	a.addUser("bob")
	return a
}

// trust has the host trust an authority alone.
func (a *authority) trust(t *testing.T, name string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(a.dir, name+".pub"))
	if err == nil {
		err = os.WriteFile(a.trusted, append([]byte("# who may sign\n\n"), key...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sign makes a key that no user has and has an authority sign it. It returns
// the key's file.
func (a *authority) sign(t *testing.T, by, kind string, args ...string) string {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	keygen(t, append([]string{"-N", "", "-f", key}, strings.Fields(kind)...)...)
	keygen(t, append(append([]string{"-s", filepath.Join(a.dir, by), "-I", "laptop"}, args...), key+".pub")...)
	return key
}

// login runs a command by real ssh with a key and the certificate beside it.
func (a *authority) login(key, login, command string) (string, error) {
	args := []string{"-F", "/dev/null", "-p", a.port, "-i", key, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", login + "@127.0.0.1", command}
	out, err := exec.CommandContext(a.t.Context(), "ssh", args...).CombinedOutput()
	return string(out), err
}

func TestCertificates(t *testing.T) {
	a := newAuthority(t)
	for _, c := range []struct {
		what, by, kind string
		args           []string
		login          string
		says           string // "": Hello and whom
		user           string
	}{
		{"one name", "ca", "-t ed25519", []string{"-n", "alice"}, "git", "", "alice"},
		{"an ECDSA key", "ca", "-t ecdsa", []string{"-n", "alice"}, "git", "", "alice"},
		{"an RSA key", "ca", "-t rsa -b 2048", []string{"-n", "alice"}, "git", "", "alice"},
		{"a name of two", "ca", "-t ed25519", []string{"-n", "alice,bob"}, "bob", "", "bob"},
		{"none of two names", "ca", "-t ed25519", []string{"-n", "alice,bob"}, "git", "names 2 users", ""},
		{"another name", "ca", "-t ed25519", []string{"-n", "alice"}, "bob", "", "alice"},
		{"a name that no user has", "ca", "-t ed25519", []string{"-n", "carol"}, "git", "user carol, who does not exist", ""},
		{"no name", "ca", "-t ed25519", nil, "alice", "names no user", ""},
		{"another authority", "other", "-t ed25519", []string{"-n", "alice"}, "git", "Permission denied", ""},
		{"a host's certificate", "ca", "-t ed25519", []string{"-h", "-n", "alice"}, "git", "Permission denied", ""},
		{"valid still", "ca", "-t ed25519", []string{"-n", "alice", "-V", "-1d:+1d"}, "git", "", "alice"},
		{"expired", "ca", "-t ed25519", []string{"-n", "alice", "-V", "20200101:20200102"}, "git", "the certificate laptop is not valid: cert has expired", ""},
		{"not valid yet", "ca", "-t ed25519", []string{"-n", "alice", "-V", "+1d:+2d"}, "git", "cert is not yet valid", ""},
		{"this address", "ca", "-t ed25519", []string{"-n", "alice", "-O", "source-address=127.0.0.0/8"}, "git", "", "alice"},
		{"another address", "ca", "-t ed25519", []string{"-n", "alice", "-O", "source-address=192.0.2.0/24"}, "git", "Permission denied", ""},
		{"an option we don't know", "ca", "-t ed25519", []string{"-n", "alice", "-O", "critical:dance@example.org=1"}, "git", "unsupported critical option", ""},
		{"a PIN each time", "ca", "-t ed25519", []string{"-n", "alice", "-O", "critical:verify-required"}, "git", "unsupported critical option", ""},
	} {
		out, err := a.login(a.sign(t, c.by, c.kind, c.args...), c.login, "")
		want := c.says
		if c.user != "" {
			want = "Hello " + c.user + ","
		}
		if (c.user != "") != (err == nil) || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", c.what, err, out)
		}
	}
	forced := a.sign(t, "ca", "-t ed25519", "-n", "alice", "-O", "force-command=versions nothing")
	for _, command := range []string{"", "help", "git-receive-pack app"} {
		if out, err := a.login(forced, "git", command); err == nil || !strings.Contains(out, "nothing does not exist") {
			t.Errorf("%q where another command is forced: %v\n%s", command, err, out)
		}
	}
}

// An authority that is no longer trusted speaks for no user, also over a
// connection that is open.
func TestCertificatesEndWithTheirAuthority(t *testing.T) {
	a := newAuthority(t)
	key := a.sign(t, "ca", "-t ed25519", "-n", "alice")
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gossh.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(key + "-cert.pub"); err != nil {
		t.Fatal(err)
	}
	cert, _, _, _, err := gossh.ParseAuthorizedKey(text)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gossh.NewCertSigner(cert.(*gossh.Certificate), plain)
	if err != nil {
		t.Fatal(err)
	}
	client, err := a.connect("git", signer)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if out, err := run(t, client, ""); err != nil || !strings.Contains(out, "Hello alice") {
		t.Fatalf("%v %s", err, out)
	}
	a.trust(t, "other")
	if out, err := run(t, client, ""); err == nil || !strings.Contains(out, "not signed by an authority that this server trusts") {
		t.Errorf("%v %s", err, out)
	}
	if out, err := a.login(key, "git", ""); err == nil {
		t.Errorf("a login: %s", out)
	}
}

// A certificate that is signed as sshd does no longer accept is refused.
// A certificate is worth nothing to a user whose account is disabled.
func TestCertificatesOfTheDisabled(t *testing.T) {
	a := newAuthority(t)
	key := a.sign(t, "ca", "-t ed25519", "-n", "bob")
	if out, err := a.login(key, "git", "images"); err != nil {
		t.Fatalf("before: %v: %s", err, out)
	}
	bob, err := a.store.User(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	a.disable(bob)
	if out, err := a.login(key, "git", "images"); err == nil || !strings.Contains(out, "the account of bob is disabled") {
		t.Errorf("%v: %s", err, out)
	}
}

// Connections that are open end with the account, whatever goes on over them.
func TestConnectionsOfTheDisabledEnd(t *testing.T) {
	h, hold := held(t, func(c *Config) { c.KeepAlive = 20 * time.Millisecond })
	defer close(hold)
	client := h.dial("alice")
	follow(t, client)
	alice, err := h.store.User(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	h.disable(alice)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = client.Wait() // says how it ended
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the connection stays open")
	}
}

func TestCertificatesSignedBySHA1(t *testing.T) {
	a := newAuthority(t)
	keygen(t, "-t", "rsa", "-b", "2048", "-N", "", "-f", filepath.Join(a.dir, "old"))
	a.trust(t, "old")
	for algorithm, user := range map[string]bool{"rsa-sha2-512": true, "ssh-rsa": false} {
		if _, err := a.login(a.sign(t, "old", "-t ed25519", "-n", "alice", "-t", algorithm), "git", ""); (err == nil) != user {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
}

func TestBrokenAuthorities(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca")
	for text, says := range map[string]string{
		"# none\n\nssh-ed25519 what\n":                     "line 3",
		`cert-authority ssh-ed25519 ` + ed25519Blob(t):     "options before a key",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----": "line 1",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{HostKeyDir: hostKeyDir(t), TrustedUserCA: file}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := New(Config{HostKeyDir: hostKeyDir(t), TrustedUserCA: file + ".not"}); err == nil {
		t.Error("a file that is not there")
	}
}

func ed25519Blob(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := gossh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(gossh.MarshalAuthorizedKey(key)))[1]
}

// securityKey is one that signs as a FIDO token does, in software.
type securityKey struct {
	public gossh.PublicKey
	flags  byte
	sign   func(data []byte) ([]byte, error)
}

const application = "ssh:"

func (k securityKey) PublicKey() gossh.PublicKey { return k.public }

func (k securityKey) Sign(_ io.Reader, data []byte) (*gossh.Signature, error) {
	app, message := sha256.Sum256([]byte(application)), sha256.Sum256(data)
	counter := []byte{0, 0, 0, 1}
	blob, err := k.sign(slices.Concat(app[:], []byte{k.flags}, counter, message[:]))
	return &gossh.Signature{Format: k.public.Type(), Blob: blob, Rest: append([]byte{k.flags}, counter...)}, err
}

func newSecurityKeys(t *testing.T) []securityKey {
	t.Helper()
	parse := func(blob []byte) gossh.PublicKey {
		key, err := gossh.ParsePublicKey(blob)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := curve.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return []securityKey{{
		public: parse(gossh.Marshal(struct {
			Type        string
			Key         []byte
			Application string
		}{gossh.KeyAlgoSKED25519, public, application})),
		sign: func(data []byte) ([]byte, error) { return ed25519.Sign(private, data), nil },
	}, {
		public: parse(gossh.Marshal(struct {
			Type, Curve string
			Key         []byte
			Application string
		}{gossh.KeyAlgoSKECDSA256, "nistp256", point, application})),
		sign: func(data []byte) ([]byte, error) {
			digest := sha256.Sum256(data)
			r, s, err := ecdsa.Sign(rand.Reader, curve, digest[:])
			return gossh.Marshal(struct{ R, S *big.Int }{r, s}), err
		},
	}}
}

// Keys on tokens log in, if the user touched the token.
func TestSecurityKeys(t *testing.T) {
	h := newEnv(t, nil)
	for _, key := range newSecurityKeys(t) {
		h.addKey(key.public)
		for flags, want := range map[byte]bool{0: false, 1: true, 4: false, 5: true} {
			key.flags = flags
			client, err := h.connect("git", key)
			if want != (err == nil) {
				t.Errorf("%s with flags %d: %v", key.public.Type(), flags, err)
			}
			if err == nil {
				_ = client.Close()
			}
		}
	}
}

// Many logins that fail cost one line each, and then others get in as before.
func TestManyFailedLogins(t *testing.T) {
	h := newEnv(t, nil)
	stranger := func() gossh.Signer {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := gossh.NewSignerFromKey(private)
		if err != nil {
			t.Fatal(err)
		}
		return signer
	}
	var keys []gossh.Signer
	for range 200 {
		keys = append(keys, stranger())
	}
	tried := 0
	_, err := gossh.Dial("tcp", "127.0.0.1:"+h.port, &gossh.ClientConfig{
		User: "git", HostKeyCallback: gossh.InsecureIgnoreHostKey(), Timeout: time.Minute, //nolint:gosec // our own server
		Auth: []gossh.AuthMethod{gossh.PublicKeysCallback(func() ([]gossh.Signer, error) { tried++; return keys, nil })},
	})
	if err == nil || tried != 1 {
		t.Errorf("%v after %d lists", err, tried)
	}
	if out, status := h.ssh("alice", "images"); status != 0 {
		t.Errorf("a user does not get in: %s", out)
	}
}
