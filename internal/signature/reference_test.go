package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	gossh "golang.org/x/crypto/ssh"
)

// reference is a repository, and the keys that git, ssh-keygen and gpg have of their own.
type reference struct {
	t    *testing.T
	dir  string
	keys []OpenPGPKey
}

func newReference(t *testing.T) *reference {
	dir, err := os.MkdirTemp("", "sig") // short: gpg-agent's socket is in it
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{t: t, dir: dir}
	t.Cleanup(func() {
		_, _ = r.command("", "gpgconf", "--kill", "gpg-agent") // there may be none
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	r.must("", "git", "init", "-q", dir+"/repo")
	r.must("", "git", "commit", "-q", "--allow-empty", "-m", "1")
	return r
}

func (r *reference) command(in, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = r.dir
	if _, err := os.Stat(r.dir + "/repo"); err == nil {
		cmd.Dir += "/repo"
	}
	cmd.Env = append(os.Environ(), "HOME="+r.dir, "GNUPGHOME="+r.dir, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	cmd.Stdin = strings.NewReader(in)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %q: %w: %s", name, args, err, errors.Bytes())
	}
	return string(out), err
}

func (r *reference) must(in, name string, args ...string) string {
	r.t.Helper()
	out, err := r.command(in, name, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *reference) text(name string) string {
	head := strings.TrimSpace(r.must("", "git", "rev-parse", "HEAD"))
	return "object " + head + "\ntype commit\ntag " + name + "\ntagger a <a@b> 1700000000 +0000\n\nOne\n"
}

// sshKey makes a key and has git trust it.
func (r *reference) sshKey(name string, options ...string) string {
	path := filepath.Join(r.dir, name)
	r.must("", "ssh-keygen", append([]string{"-q", "-N", "", "-C", "", "-f", path}, options...)...)
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		r.t.Fatal(err)
	}
	r.trust(string(public))
	return path
}

func (r *reference) trust(public string) {
	file, err := os.OpenFile(r.dir+"/signers", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // the write tells
	if _, err := fmt.Fprintf(file, "a@b namespaces=\"git\" %s\n", strings.TrimSpace(public)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reference) sshSign(key, text string, options ...string) string {
	return r.must(text, "ssh-keygen", append([]string{"-q", "-Y", "sign", "-n", "git", "-f", key}, options...)...)
}

// pgpKey makes a key, as of a day, and returns its fingerprint.
func (r *reference) pgpKey(name, algorithm, usage, expires, day string) string {
	args := []string{"--batch", "--passphrase", "", "--faked-system-time", day + "T000000!", "--quick-gen-key", name, algorithm, usage, expires}
	r.must("", "gpg", args...)
	for line := range strings.Lines(r.must("", "gpg", "--batch", "--with-colons", "--list-keys", "="+name)) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			return fields[9]
		}
	}
	r.t.Fatal("no fingerprint")
	return ""
}

func (r *reference) pgpSign(key, day, text string, options ...string) string {
	args := []string{"--batch", "--faked-system-time", day + "T000000!", "-u", key, "--armor", "--detach-sign"}
	return r.must(text, "gpg", append(options, args...)...)
}

// export reads the public keys as they are now.
func (r *reference) export(fingerprints ...string) {
	r.keys = nil
	for _, fingerprint := range fingerprints {
		key, err := ParseOpenPGPKey(r.must("", "gpg", "--batch", "--armor", "--export", fingerprint))
		if err != nil {
			r.t.Fatalf("%s: %v", fingerprint, err)
		}
		if key.Fingerprint != fingerprint {
			r.t.Errorf("the fingerprint is %s, gpg says %s", key.Fingerprint, fingerprint)
		}
		r.keys = append(r.keys, key)
	}
}

// git says what git verify-tag says of an object.
func (r *reference) git(object string) error {
	hash := strings.TrimSpace(r.must(object, "git", "hash-object", "-t", "tag", "-w", "--stdin", "--literally"))
	_, err := r.command("", "git", "-c", "gpg.ssh.allowedSignersFile="+r.dir+"/signers", "verify-tag", hash)
	return err
}

func (r *reference) ours(object string) error {
	tag, err := ParseTag([]byte(object))
	if err != nil {
		return err
	}
	switch kind := KindOf(tag.Signature); kind {
	case SSH:
		_, err := VerifySSH(tag.Text, tag.Signature)
		return err
	case OpenPGP:
		issuer, err := Issuer(tag.Signature)
		if err != nil {
			return err
		}
		err = invalid(nil, "unknown key %s", issuer)
		for _, key := range r.keys {
			if strings.Contains(strings.Join(key.KeyIDs, " "), issuer) {
				err = nil
				if e := key.Verify(tag.Text, tag.Signature, time.Now()); e != nil {
					return e
				}
			}
		}
		return err
	default:
		return fmt.Errorf("a signature of kind %q", kind)
	}
}

// verdict is what both make of a tag object.
type verdict struct {
	name     string
	object   string
	good     bool // for us
	stricter bool // git takes it, and we do not
}

func (r *reference) compare(cases []verdict) {
	for _, c := range cases {
		git, ours := r.git(c.object), r.ours(c.object)
		if (ours == nil) != c.good {
			r.t.Errorf("%s: %v", c.name, ours)
		}
		if (git == nil) != (c.good || c.stricter) {
			r.t.Errorf("%s: git says %v, ours %v", c.name, git, ours)
		}
	}
}

func TestSSHTagsAsGit(t *testing.T) {
	r := newReference(t)
	text := r.text("v1")
	ed := r.sshKey("ed", "-t", "ed25519")
	cases := []verdict{}
	add := func(name, object string, good, stricter bool) {
		cases = append(cases, verdict{name, object, good, stricter})
	}
	for _, options := range [][]string{{"-t", "rsa", "-b", "2048"}, {"-t", "ecdsa", "-b", "256"}, {"-t", "ecdsa", "-b", "384"}, {"-t", "ecdsa", "-b", "521"}} {
		key := r.sshKey(options[1]+options[3], options...)
		add(strings.Join(options, " "), text+r.sshSign(key, text), true, false)
		add("sha256 "+strings.Join(options, " "), text+r.sshSign(key, text, "-O", "hashalg=sha256"), true, false)
	}
	signed := r.sshSign(ed, text)
	add("ed25519", text+signed, true, false)
	add("ed25519 with sha256", text+r.sshSign(ed, text, "-O", "hashalg=sha256"), true, false)
	add("security key", text+r.securityKey(text, 1), true, false)
	r.must("", "git", "-c", "gpg.format=ssh", "-c", "user.signingkey="+ed, "tag", "-s", "-m", "by git", "by-git")
	add("by git tag -s", r.must("", "git", "cat-file", "tag", "by-git"), true, false)
	add("not signed", text, false, false)
	add("wrong namespace", text+r.must(text, "ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", ed), false, false)
	add("moved from another tag", r.text("v2")+signed, false, false)
	add("text added", text+"Two\n"+signed, false, false)
	add("text of Windows", strings.ReplaceAll(text, "\n", "\r\n")+signed, false, false)
	crlf := text + "One\r\nTwo\r\n"
	add("carriage returns that are signed", crlf+r.sshSign(ed, crlf), true, false)
	add("armor of Windows", text+strings.ReplaceAll(signed, "\n", "\r\n"), false, false)
	add("blank lines after", text+signed+"\n \n", true, false)
	add("text after", text+signed+"by mallory\n", false, true)
	add("truncated", text+signed[:len(signed)/2], false, false)
	add("without an end", text+strings.ReplaceAll(signed, "-----END SSH SIGNATURE-----\n", ""), false, false)
	add("begins within a line", text+"x"+signed, false, false)
	add("two signatures, the first of the text", text+signed+signed, false, false)
	both := text + signed
	add("two signatures, the second of all", both+r.sshSign(ed, both), true, false)
	header := strings.Replace(text, "tagger", "gpgsig-sha256 -----BEGIN SSH SIGNATURE-----\n abc\n -----END SSH SIGNATURE-----\ntagger", 1)
	add("a signature for SHA-256 in the header", header+signed, true, false)
	add("a header that is no signature", strings.Replace(text, "tagger", "gpgsig-md5 x\ntagger", 1)+signed, false, false)
	add("empty", "", false, false)
	r.compare(cases)
}

// securityKey signs as a FIDO key does, that need not be here.
func (r *reference) securityKey(text string, flags byte) string {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	const algorithm, application = "sk-ssh-ed25519@openssh.com", "ssh:"
	blob := gossh.Marshal(struct {
		Type   string
		Key    []byte
		Domain string
	}{algorithm, public, application})
	key, err := gossh.ParsePublicKey(blob)
	if err != nil {
		r.t.Fatal(err)
	}
	r.trust(string(gossh.MarshalAuthorizedKey(key)))
	digest := sha256.Sum256([]byte(text))
	signed := append([]byte("SSHSIG"), gossh.Marshal(struct{ Namespace, Reserved, Hash, Digest string }{"git", "", "sha256", string(digest[:])})...)
	app, message := sha256.Sum256([]byte(application)), sha256.Sum256(signed)
	counted := append(append(append([]byte{}, app[:]...), flags, 0, 0, 0, 7), message[:]...)
	signature := append(gossh.Marshal(struct {
		Format string
		Blob   []byte
	}{algorithm, ed25519.Sign(private, counted)}), flags, 0, 0, 0, 7)
	whole := append([]byte("SSHSIG"), gossh.Marshal(struct {
		Version                   uint32
		Key                       []byte
		Namespace, Reserved, Hash string
		Signature                 []byte
	}{1, blob, "git", "", "sha256", signature})...)
	return string(pem.EncodeToMemory(&pem.Block{Type: sshsig.PEMType, Bytes: whole}))
}

// Certificates are signed with as keys are. Whether one is good, only who knows its authority can say.
func TestCertificates(t *testing.T) {
	r := newReference(t)
	text := r.text("v1")
	authority := r.sshKey("ca", "-t", "ed25519")
	for _, typ := range []string{"ed25519", "rsa"} {
		key := r.sshKey(typ, "-t", typ)
		r.must("", "ssh-keygen", "-q", "-s", authority, "-I", "ali", "-n", "ali", key+".pub")
		signed := r.sshSign(key+"-cert.pub", text)
		if err := os.WriteFile(r.dir+"/sig", []byte(signed), 0o600); err != nil {
			t.Fatal(err)
		}
		r.must(text, "ssh-keygen", "-Y", "check-novalidate", "-n", "git", "-s", r.dir+"/sig")
		got, err := VerifySSH([]byte(text), []byte(signed))
		if _, ok := got.(*gossh.Certificate); err != nil || !ok {
			t.Fatalf("%s: %v, %v", typ, got, err)
		}
	}
	// SHA-1, which ssh-keygen neither makes nor takes, and sshsig takes of certificates.
	private, err := os.ReadFile(r.dir + "/rsa")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gossh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(r.dir + "/rsa-cert.pub")
	if err != nil {
		t.Fatal(err)
	}
	cert, _, _, _, err := gossh.ParseAuthorizedKey(public)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := sshsig.Sign(strings.NewReader(text), sha1Signer{signer.(gossh.AlgorithmSigner), cert}, sshsig.HashSHA256, "git")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifySSH([]byte(text), sshsig.Armor(weak)); err == nil || !strings.Contains(err.Error(), "too weak") {
		t.Errorf("SHA-1: %v", err)
	}
}

type sha1Signer struct {
	gossh.AlgorithmSigner
	cert gossh.PublicKey
}

func (s sha1Signer) PublicKey() gossh.PublicKey { return s.cert }

func TestOpenPGPTagsAsGit(t *testing.T) {
	r := newReference(t)
	text := r.text("v1")
	const then, later = "20250101", "20250201"
	var cases []verdict
	add := func(name, object string, good, stricter bool) {
		cases = append(cases, verdict{name, object, good, stricter})
	}
	var known []string
	for _, algorithm := range []string{"ed25519", "rsa2048", "nistp256", "nistp384", "nistp521"} {
		key := r.pgpKey(algorithm, algorithm, "default", "never", then)
		known = append(known, key)
		add(algorithm, text+r.pgpSign(key, later, text), true, false)
	}
	ed := known[0]
	signed := r.pgpSign(ed, later, text)
	for _, algorithm := range []string{"dsa2048", "rsa1024"} {
		key := r.pgpKey(algorithm, algorithm, "sign", "never", then)
		known = append(known, key)
		add(algorithm, text+r.pgpSign(key, later, text), false, true)
	}
	add("SHA-512", text+r.pgpSign(ed, later, text, "--digest-algo", "sha512"), true, false)
	add("SHA-1", text+r.pgpSign(ed, later, text, "--digest-algo", "sha1"), false, true)
	add("text mode", text+r.pgpSign(ed, later, text, "--textmode"), true, false)
	add("armor with comments", text+r.pgpSign(ed, later, text, "--comment", "hello"), true, false)
	add("armor of Windows", text+strings.ReplaceAll(signed, "\n", "\r\n"), true, false)
	add("from the future", text+r.pgpSign(ed, "20990101", text), false, true)
	add("older than the key", text+r.pgpSign(ed, "20240101", text, "--ignore-time-conflict"), false, false)
	add("that expires", text+r.pgpSign(ed, later, text, "--default-sig-expire", "1d"), false, false)

	primary := r.pgpKey("subkeys", "ed25519", "cert", "never", then)
	for range 2 {
		r.must("", "gpg", "--batch", "--passphrase", "", "--faked-system-time", then+"T000000!", "--quick-add-key", primary, "ed25519", "sign", "never")
	}
	known = append(known, primary)
	subkeys := r.subkeys(primary)
	add("a subkey", text+r.pgpSign(subkeys[0]+"!", later, text), true, false)
	add("a subkey that is revoked later", text+r.pgpSign(subkeys[1]+"!", later, text), false, false)
	r.must("key 2\nrevkey\ny\n0\n\ny\nsave\n", "gpg", "--command-fd", "0", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--edit-key", primary)

	expired := r.pgpKey("expired", "ed25519", "sign", "60d", then)
	known = append(known, expired)
	add("a key that has expired since", text+r.pgpSign(expired, later, text), false, false)
	revoked := r.pgpKey("revoked", "ed25519", "sign", "never", then)
	known = append(known, revoked)
	add("a key that is revoked since", text+r.pgpSign(revoked, later, text), false, false)
	revocation, err := os.ReadFile(r.dir + "/openpgp-revocs.d/" + revoked + ".rev")
	if err != nil {
		t.Fatal(err)
	}
	r.must(strings.Replace(string(revocation), ":-----BEGIN", "-----BEGIN", 1), "gpg", "--batch", "--import")

	add("moved from another tag", r.text("v2")+signed, false, false)
	add("text added", text+"Two\n"+signed, false, false)
	add("text after", text+signed+"by mallory\n", false, true)
	add("truncated", text+signed[:len(signed)/2], false, false)
	add("two signatures in one armor", text+r.pgpSign(ed, later, text, "-u", known[1]), false, false)
	add("two armors", text+signed+signed, false, false)
	both := text + signed
	add("two armors, the second of all", both+r.pgpSign(ed, later, both), true, false)
	add("a clear-signed message", text+r.must(text, "gpg", "--batch", "-u", ed, "--clear-sign"), false, false)
	add("a whole message", text+r.must(text, "gpg", "--batch", "-u", ed, "--armor", "--sign"), false, false)
	r.export(known...)
	r.compare(cases)

	unknown := r.pgpKey("unknown", "ed25519", "sign", "never", then)
	if err := r.ours(text + r.pgpSign(unknown, later, text)); err == nil || !strings.Contains(err.Error(), "unknown key "+unknown[24:]) {
		t.Errorf("an unknown key: %v", err)
	}
}

func (r *reference) subkeys(primary string) (fingerprints []string) {
	sub := false
	for line := range strings.Lines(r.must("", "gpg", "--batch", "--with-colons", "--list-keys", primary)) {
		fields := strings.Split(line, ":")
		if fields[0] == "fpr" && sub {
			fingerprints = append(fingerprints, fields[9])
		}
		sub = fields[0] == "sub"
	}
	return fingerprints
}
