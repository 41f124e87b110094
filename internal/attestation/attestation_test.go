package attestation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/attestation"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func newKey(t *testing.T) attestation.PrivateKey {
	t.Helper()
	text, err := attestation.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := attestation.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestEnvelope(t *testing.T) {
	key, other := newKey(t), newKey(t)
	s, err := attestation.NewStatement("host/ns/app", digest, attestation.ProvenancePredicate, map[string]int{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := attestation.Seal(key, s)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := attestation.Seal(key, s)
	if !bytes.Equal(sealed.Signatures[0].Sig, again.Signatures[0].Sig) {
		t.Error("the same is not signed the same")
	}
	got, by, err := sealed.Open([]attestation.PublicKey{other.Public(), key.Public()})
	if err != nil || by.Fingerprint != key.Public().Fingerprint || !got.IsAbout(digest) || got.IsAbout("sha256:") || got.IsAbout("sha512:0123") {
		t.Errorf("opened %+v by %s: %v", got, by.Fingerprint, err)
	}
	if _, _, err := sealed.Open([]attestation.PublicKey{other.Public()}); !errors.Is(err, attestation.ErrUnsigned) {
		t.Errorf("by another key: %v", err)
	}
	changed := sealed
	changed.Payload = bytes.Replace(sealed.Payload, []byte("ns/app"), []byte("ns/apq"), 1)
	if _, _, err := changed.Open([]attestation.PublicKey{key.Public()}); !errors.Is(err, attestation.ErrUnsigned) {
		t.Errorf("another payload: %v", err)
	}
	changed = sealed
	changed.PayloadType = "text/plain"
	if _, _, err := changed.Open([]attestation.PublicKey{key.Public()}); !errors.Is(err, attestation.ErrUnsigned) {
		t.Errorf("another payload type: %v", err)
	}
}

func TestImageSignature(t *testing.T) {
	key := newKey(t)
	keys := []attestation.PublicKey{newKey(t).Public(), key.Public()}
	content, signature, err := attestation.SignImage(key, "host/ns/app", digest)
	if err != nil {
		t.Fatal(err)
	}
	if by, err := attestation.VerifyImage(keys, content, signature, digest); err != nil || by.Fingerprint != key.Public().Fingerprint {
		t.Errorf("by %s: %v", by.Fingerprint, err)
	}
	if _, err := attestation.VerifyImage(keys, content, signature, strings.Replace(digest, "0", "1", 1)); err == nil {
		t.Error("it passes for another image")
	}
	for what, c := range map[string]struct{ content, signature string }{
		"another text": {string(content) + " ", signature}, "no signature": {string(content), ""}, "no base64": {string(content), "?"},
	} {
		if _, err := attestation.VerifyImage(keys, []byte(c.content), c.signature, digest); !errors.Is(err, attestation.ErrUnsigned) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Keys are those that openssl makes and reads.
func TestKeysOfOpenSSL(t *testing.T) {
	dir := t.TempDir()
	openssl := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl %v: %v", args, err)
		}
		return out
	}
	for what, c := range map[string]struct {
		text []byte
		good bool
	}{
		"PKCS #8":    {openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), true},
		"SEC 1":      {openssl("ecparam", "-name", "prime256v1", "-genkey"), true},
		"P-384":      {openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"), false},
		"Ed25519":    {openssl("genpkey", "-algorithm", "ed25519"), false},
		"encrypted":  {openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:secret"), false},
		"no PEM":     {[]byte("nothing"), false},
		"no key":     {[]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), false},
		"no content": {nil, false},
	} {
		key, err := attestation.ParsePrivateKey(c.text)
		if (err == nil) != c.good || err != nil && !strings.Contains(err.Error(), "openssl genpkey") {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "key"), c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if public := openssl("pkey", "-in", "key", "-pubout"); string(public) != key.Public().PEM() {
			t.Errorf("%s: the public key is %s, want %s", what, key.Public().PEM(), public)
		}
	}
	for what, text := range map[string]string{"nothing": "", "a private key": string(openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"))} {
		if keys, err := attestation.ParsePublicKeys([]byte(text)); err == nil {
			t.Errorf("%s is read as %d public keys", what, len(keys))
		}
	}
	two := newKey(t).Public().PEM() + newKey(t).Public().PEM()
	if keys, err := attestation.ParsePublicKeys([]byte(two)); err != nil || len(keys) != 2 {
		t.Errorf("two keys: %d, %v", len(keys), err)
	}
}

// Objects have the names that git gives them.
func TestGitHash(t *testing.T) {
	dir := t.TempDir()
	git := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return string(out)
	}
	git("", "init", "-q")
	git("", "commit", "-q", "--allow-empty", "-m", "one")
	git("", "tag", "-a", "-m", "v1", "v1")
	commit, tag := strings.TrimSpace(git("", "rev-parse", "HEAD")), strings.TrimSpace(git("", "rev-parse", "v1"))
	raw, rawTag := []byte(git("", "cat-file", "commit", commit)), []byte(git("", "cat-file", "tag", tag))
	if got := attestation.GitHash("commit", raw); got != commit {
		t.Errorf("commit %s, want %s", got, commit)
	}
	if got := attestation.GitHash("tag", rawTag); got != tag || attestation.TargetOf(rawTag) != commit || attestation.TargetOf(raw) != "" {
		t.Errorf("tag %s of %s, want %s of %s", got, attestation.TargetOf(rawTag), tag, commit)
	}
	if got, want := attestation.TreeOf(raw), strings.TrimSpace(git("", "rev-parse", "HEAD^{tree}")); got != want {
		t.Errorf("tree %s, want %s", got, want)
	}
}

func FuzzEnvelope(f *testing.F) {
	text, _ := attestation.NewKey()
	key, err := attestation.ParsePrivateKey(text)
	if err != nil {
		f.Fatal(err)
	}
	s, _ := attestation.NewStatement("a", digest, "b", nil)
	sealed, _ := attestation.Seal(key, s)
	seed, _ := json.Marshal(sealed)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, text []byte) {
		var e attestation.Envelope
		if json.Unmarshal(text, &e) != nil {
			return
		}
		if _, _, err := e.Open([]attestation.PublicKey{key.Public()}); err == nil && !bytes.Equal(e.Payload, sealed.Payload) {
			t.Errorf("an envelope that was not signed opens: %s", text)
		}
	})
}

func TestNamesVersion(t *testing.T) {
	for _, c := range []struct {
		tag, prefix, version string
		names                bool
	}{
		{"v1.0", "", "v1.0", true}, {"v1.0+5", "", "v1.0_5", true}, {"api/v1.0", "", "v1.0", true}, {"@acme/api@1.0", "", "1.0", true},
		{"api-v1.0", "api-", "v1.0", true}, {"api-v1.0", "api-v", "1.0", true}, {"a+b-1.0", "a+b-", "1.0", true}, {"api/v1.0", "api-", "v1.0", true},
		{"v11.0", "", "1.0", false}, {"v1.0", "", "1.0", false}, {"api-v1.0", "", "v1.0", false}, {"api-v1.0", "web-", "v1.0", false},
		{"v1.0", "", "v1.1", false}, {"v1.0", "", "", false}, {"", "", "v1.0", false}, {"", "", "", false},
	} {
		if got := (attestation.External{Tag: c.tag, TagPrefix: c.prefix, Version: c.version}).NamesVersion(); got != c.names {
			t.Errorf("tag %q with prefix %q names version %q: %v", c.tag, c.prefix, c.version, got)
		}
	}
}
