package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/attestation"
	"github.com/fandoghpaas/fandogh/internal/signature"
)

// Tags are those that git signs with ssh-keygen, and what git would take and nobody has signed.
func TestTagSignatures(t *testing.T) {
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	run("git", "init", "-q")
	for _, setting := range []string{"user.name=a", "user.email=a@b", "gpg.format=ssh"} {
		name, value, _ := strings.Cut(setting, "=")
		run("git", "config", name, value)
	}
	run("git", "commit", "-q", "--allow-empty", "-m", "one")
	run("git", "tag", "-a", "-m", "unsigned", "unsigned")
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		run("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", kind)
		run("git", "tag", "-s", "-u", filepath.Join(dir, kind+".pub"), "-m", "signed", kind)
		tag := []byte(run("git", "cat-file", "tag", kind))
		fingerprint := strings.Fields(run("ssh-keygen", "-l", "-f", kind+".pub"))[1]
		v := verification{app: testApp()}
		if says, err := v.tagSignature(kind, tag); err != nil || says != "signed by SSH key "+fingerprint {
			t.Errorf("%s: %q, %v; want %s", kind, says, err, fingerprint)
		}
		v.signers = &signers{ssh: map[string]bool{fingerprint: true}}
		if _, err := v.tagSignature(kind, tag); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for what, c := range map[string]struct {
			tag  string
			as   string
			want string
		}{
			"another message":  {strings.Replace(string(tag), "\nsigned\n", "\nother\n", 1), kind, "does not match what is signed"},
			"another tag":      {string(tag), "v1", "what was signed is tag " + kind},
			"text behind it":   {string(tag) + "more\n", kind, "follows the signature"},
			"a part of it":     {string(tag[:len(tag)-50]), kind, "is truncated"},
			"a second begins":  {string(tag) + "-----BEGIN PGP SIGNATURE-----\n", kind, "is truncated"},
			"not signed":       {run("git", "cat-file", "tag", "unsigned"), "unsigned", "no SSH or OpenPGP signature"},
			"an empty one":     {"", kind, "is not valid"},
			"for another tool": {string(tag[:len(tag)-len(signatureOf(tag))]) + sshSigned(t, run, dir, kind, tag), kind, "not for git"},
		} {
			if says, err := v.tagSignature(c.as, []byte(c.tag)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: %q, %v", kind, what, says, err)
			}
		}
		v.signers = &signers{ssh: map[string]bool{"SHA256:other": true}}
		if _, err := v.tagSignature(kind, tag); err == nil || !strings.Contains(err.Error(), fingerprint) {
			t.Errorf("%s, another signer: %v", kind, err)
		}
	}
}

func signatureOf(tag []byte) []byte {
	parsed, _ := signature.ParseTag(tag)
	return parsed.Signature
}

// sshSigned signs a tag's text in another namespace than git's.
func sshSigned(t *testing.T, run func(string, ...string) string, dir, key string, tag []byte) string {
	t.Helper()
	parsed, _ := signature.ParseTag(tag)
	file := filepath.Join(dir, "text-"+key)
	if err := os.WriteFile(file, parsed.Text, 0o600); err != nil {
		t.Fatal(err)
	}
	run("ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", filepath.Join(dir, key), file)
	signed, err := os.ReadFile(file + ".sig")
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

// An OpenPGP signature is verified by a key that --signers has, beside SSH keys.
func TestOpenPGPTagSignatures(t *testing.T) {
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "GNUPGHOME="+dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %v: %v", name, args, err)
		}
		return string(out)
	}
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", dir, "--kill", "all").Run() })
	run("git", "init", "-q")
	identity := []string{"-c", "user.name=a", "-c", "user.email=a@b"}
	run("git", append(identity, "commit", "-q", "--allow-empty", "-m", "one")...)
	for _, user := range []string{"ali@example.com", "bob@example.com"} {
		run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", user, "ed25519", "sign", "never")
	}
	run("git", append(identity, "tag", "-s", "-u", "ali@example.com", "-m", "signed", "v1")...)
	tag := run("git", "cat-file", "tag", "v1")
	run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "key"))
	file := func(users ...string) string {
		text := run("cat", filepath.Join(dir, "key.pub"))
		for _, user := range users {
			text += run("gpg", "--armor", "--export", user)
		}
		name := filepath.Join(dir, "signers"+strings.Join(users, ""))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct{ name, tag, signers, says, fails string }{
		{"no keys", tag, "", "name a file with that key by --signers", ""},
		{"its key", tag, file("bob@example.com", "ali@example.com"), "signed by OpenPGP key ", ""},
		{"another message", strings.Replace(tag, "\nsigned\n", "\nother\n", 1), file("ali@example.com"), "", "OpenPGP signature is not valid"},
		{"another's key", tag, file("bob@example.com"), "", "not among --signers"},
		{"an SSH key", tag, file(), "", "not among --signers"},
	} {
		keys, err := readSigners(c.signers)
		if err != nil {
			t.Fatal(err)
		}
		v := verification{app: testApp(), signers: keys}
		says, err := v.tagSignature("v1", []byte(c.tag))
		if c.fails == "" && (err != nil || !strings.Contains(says, c.says)) || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%s: %q, %v", c.name, says, err)
		}
	}
}

// A server may lie in everything where its key is its own word.
func TestTagWithoutItsObject(t *testing.T) {
	v := verification{app: testApp(), version: "v1", origin: api.Origin{Object: "c"}}
	said := &v.provenance.Definition
	said.External.Commit, said.External.Tag, said.External.Version, said.Internal.Tag = "c", "v1", "v1", &attestation.Tag{Object: "c"}
	if says, err := v.checkTag(t.Context()); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("%q, %v", says, err)
	}
}
