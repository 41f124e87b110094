package account_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
)

func line(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	public, err := ssh.NewPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
}

func ed25519Line(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return line(t, public)
}

// rsaLine makes a key of a size; only its size matters, so it is no real one.
func rsaLine(t *testing.T, bits int) string {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return line(t, &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537})
}

// dssLine is a key in the wire form of DSA with small numbers.
func dssLine() string {
	blob := ssh.Marshal(struct {
		Name       string
		P, Q, G, Y *big.Int
	}{"ssh-dss", new(big.Int).Lsh(big.NewInt(1), 1023), new(big.Int).Lsh(big.NewInt(1), 159), big.NewInt(2), big.NewInt(3)})
	return "ssh-dss " + encode(blob)
}

// securityKeyLine is a key that a token holds.
func securityKeyLine(kind string, public []byte) string {
	fields := [][]byte{[]byte(kind)}
	if kind == ssh.KeyAlgoSKECDSA256 {
		fields = append(fields, []byte("nistp256"))
	}
	var blob []byte
	for _, field := range append(fields, public, []byte("ssh:")) {
		blob = append(blob, ssh.Marshal(struct{ Field []byte }{field})...)
	}
	return kind + " " + encode(blob)
}

func certificateLine(t *testing.T) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: key, CertType: ssh.UserCert}
	if err := cert.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(cert))
}

func TestAddKey(t *testing.T) {
	s, store, _, ann := start(t)
	bob, err := s.CreateUser(t.Context(), "bob", password, false)
	if err != nil {
		t.Fatal(err)
	}
	text := ed25519Line(t)
	key, err := s.AddKey(t.Context(), ann.ID, "", "\n"+text+" ann@laptop\n")
	if err != nil {
		t.Fatal(err)
	}
	if key.Name != "ann@laptop" || key.PublicKey != text || key.UserID != ann.ID {
		t.Errorf("got %+v", key)
	}
	if owner, err := store.UserByKey(t.Context(), key.Fingerprint); err != nil || owner != ann {
		t.Errorf("owner: got %+v, %v", owner, err)
	}
	named, err := s.AddKey(t.Context(), ann.ID, " desk ", ed25519Line(t)+" comment")
	if err != nil || named.Name != "desk" {
		t.Errorf("got %+v, %v", named, err)
	}
	for _, u := range []catalog.User{ann, bob} {
		_, err := s.AddKey(t.Context(), u.ID, "again", text+" other comment")
		wantCode(t, "again", err, catalog.Conflict)
	}
	_, err = s.AddKey(t.Context(), 999, "", ed25519Line(t))
	wantCode(t, "unknown user", err, catalog.NotFound)
	_, err = s.AddKey(t.Context(), ann.ID, strings.Repeat("x", 101), ed25519Line(t))
	wantCode(t, "long name", err, catalog.Invalid)
}

func TestParseKey(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := curve.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	good := ed25519Line(t)
	for _, c := range []struct{ what, text, says string }{
		{"ed25519", good, ""},
		{"ed25519 with comment", good + " a b c", ""},
		{"ecdsa", line(t, &curve.PublicKey), ""},
		{"ed25519 on a security key", securityKeyLine(ssh.KeyAlgoSKED25519, make([]byte, ed25519.PublicKeySize)), ""},
		{"ecdsa on a security key", securityKeyLine(ssh.KeyAlgoSKECDSA256, point), ""},
		{"a certificate", certificateLine(t), "this is a certificate"},
		{"RSA 2048", rsaLine(t, 2048), ""},
		{"RSA 4096", rsaLine(t, 4096), ""},
		{"RSA 2047", rsaLine(t, 2047), "shorter than 2048"},
		{"RSA 1024", rsaLine(t, 1024), "shorter than 2048"},
		{"DSA", dssLine(), "ssh"},
		{"nothing", "", "not an SSH public key"},
		{"a sentence", "hello there", "not an SSH public key"},
		{"cut", good[:40], "not an SSH public key"},
		{"two keys", good + "\n" + ed25519Line(t), "one at a time"},
		{"options", `command="rm" ` + good, "options"},
		{"private", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "private"},
	} {
		_, _, err := account.ParseKey(c.text)
		if c.says == "" {
			wantCode(t, c.what, err, "")
			continue
		}
		wantCode(t, c.what, err, catalog.Invalid)
		if !strings.Contains(catalog.MessageOf(err), c.says) {
			t.Errorf("%s: %q does not say %q", c.what, catalog.MessageOf(err), c.says)
		}
	}
}

// TestFingerprint compares with what ssh-keygen prints.
func TestFingerprint(t *testing.T) {
	s, _, _, ann := start(t)
	file := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@here", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.AddKey(t.Context(), ann.ID, "", string(text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ssh-keygen", "-l", "-f", file+".pub").Output()
	if err != nil {
		t.Fatal(err)
	}
	if fields := strings.Fields(string(out)); len(fields) < 2 || fields[1] != key.Fingerprint {
		t.Errorf("ssh-keygen says %s, got %s", out, key.Fingerprint)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA me")
	f.Add(dssLine())
	f.Fuzz(func(t *testing.T, text string) {
		key, _, err := account.ParseKey(text)
		if err != nil {
			if catalog.CodeOf(err) != catalog.Invalid {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, _, err := account.ParseKey(string(ssh.MarshalAuthorizedKey(key)))
		if err != nil || ssh.FingerprintSHA256(again) != ssh.FingerprintSHA256(key) {
			t.Fatalf("%q does not survive being stored: %v", text, err)
		}
	})
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
