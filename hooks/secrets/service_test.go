package secrets_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
)

type env struct {
	*testing.T
	*secrets.Service
	dir   string
	store *sqlite.Store
	app   catalog.Image
}

func newEnv(t *testing.T, helpers map[string]string) *env {
	t.Helper()
	dir := t.TempDir()
	e := &env{T: t, dir: dir, store: sqlitetest.Open(t, dir)}
	keys, err := secrets.Open(filepath.Join(dir, "secrets.key"))
	e.must(err)
	for _, name := range []string{"ann", "bob"} {
		user, err := e.store.CreateUser(t.Context(), catalog.NewUser{Name: name})
		e.must(err)
		image, err := e.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: name, Name: "app"}, OwnerID: user.ID})
		e.must(err)
		if name == "ann" {
			e.app = image
		}
	}
	e.Service, err = secrets.New(t.Context(), secrets.Config{Store: e.store, Keyring: keys, Helpers: helpers})
	e.must(err)
	return e
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) set(s catalog.Secret, value string) {
	e.Helper()
	if s.Namespace == "" && s.Kind != catalog.SecretRegistry {
		s.Namespace = "ann"
	}
	got, err := e.Set(e.Context(), s, []byte(value))
	e.must(err)
	if got.Sealed != nil {
		e.Error("what Set returns is sealed")
	}
}

// forBuild is what a build gets, "kind name=value".
func (e *env) forBuild(b catalog.Build) string {
	e.Helper()
	got, err := e.ForBuild(e.Context(), b)
	e.must(err)
	var words []string
	for _, s := range got {
		words = append(words, string(s.Kind)+" "+s.Name+"="+string(s.Value))
	}
	return strings.Join(words, ", ")
}

func TestWhichSecretABuildGets(t *testing.T) {
	e := newEnv(t, nil)
	build := catalog.Build{Image: e.app.Ref, ImageID: e.app.ID, Version: "v1"}
	other := catalog.Build{Image: catalog.ImageRef{Namespace: "ann", Name: "other"}, ImageID: e.app.ID + 100, Version: "v1"}
	foreign := catalog.Build{Image: catalog.ImageRef{Namespace: "bob", Name: "app"}, Version: "v1"}
	e.set(catalog.Secret{Name: "token"}, "wide")
	e.set(catalog.Secret{Name: "only", Tags: "w*"}, "not yours")
	for _, step := range []struct {
		secret catalog.Secret
		value  string
		want   string
	}{
		{catalog.Secret{Name: "token", Tags: "v*"}, "tagged", "secret token=tagged"},
		{catalog.Secret{Name: "token", ImageID: e.app.ID}, "own", "secret token=own"},
		{catalog.Secret{Name: "token", ImageID: e.app.ID, Tags: "v1"}, "own tagged", "secret token=own tagged"},
		{catalog.Secret{Name: "token", ImageID: e.app.ID, Tags: "v1"}, "new", "secret token=new"},
	} {
		e.set(step.secret, step.value)
		if got := e.forBuild(build); got != step.want {
			t.Errorf("after %q: got %q, want %q", step.value, got, step.want)
		}
	}
	if got := e.forBuild(other); got != "secret token=tagged" {
		t.Errorf("another image gets %q", got)
	}
	if got := e.forBuild(foreign); got != "" {
		t.Errorf("another namespace gets %q", got)
	}
}

func TestWhatMayBeSet(t *testing.T) {
	e := newEnv(t, nil)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	e.must(err)
	block, err := ssh.MarshalPrivateKey(key, "")
	e.must(err)
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("x"))
	e.must(err)
	for _, test := range []struct {
		secret catalog.Secret
		value  string
		field  string // at fault; "": none
	}{
		{catalog.Secret{Name: "a"}, "\x00\xff\n", ""},
		{catalog.Secret{Name: "a"}, "", "value"},
		{catalog.Secret{Name: "a"}, strings.Repeat("a", secrets.MaxValue), ""},
		{catalog.Secret{Name: "a"}, strings.Repeat("a", secrets.MaxValue+1), "value"},
		{catalog.Secret{Name: "a/b"}, "x", "name"},
		{catalog.Secret{Name: "a", Tags: "["}, "x", "tags"},
		{catalog.Secret{Name: "a", Tags: "v\x1b[2J*"}, "x", "tags"},
		{catalog.Secret{Name: "a", Tags: strings.Repeat("v* ", 1000)}, "x", "tags"},
		{catalog.Secret{Name: "a", Kind: "other"}, "x", "kind"},
		{catalog.Secret{Name: "ghcr.io", Kind: catalog.SecretRegistry, Username: "ann\x1b[2J"}, "x", "username"},
		{catalog.Secret{Name: "default", Kind: catalog.SecretSSHKey}, string(pem.EncodeToMemory(block)), ""},
		{catalog.Secret{Name: "default", Kind: catalog.SecretSSHKey}, string(pem.EncodeToMemory(locked)), "value"},
		{catalog.Secret{Name: "default", Kind: catalog.SecretSSHKey}, "x", "value"},
		{catalog.Secret{Name: "ghcr.io", Kind: catalog.SecretRegistry, Username: "ann"}, "x", ""},
		{catalog.Secret{Name: "ghcr.io", Kind: catalog.SecretRegistry}, "x", "username"},
		{catalog.Secret{Name: "ghcr.io/acme", Kind: catalog.SecretRegistry, Username: "ann"}, "x", "host"},
		{catalog.Secret{Name: "ghcr.io", Kind: catalog.SecretRegistry, Username: "ann"}, "{\n}", ""},
		{catalog.Secret{Name: "ghcr.io", Kind: catalog.SecretRegistry, Username: "ann"}, "", "password"},
	} {
		test.secret.Namespace = "ann"
		_, err := e.Set(t.Context(), test.secret, []byte(test.value))
		var field string
		if fault, ok := err.(*catalog.Error); ok { //nolint:errorlint // as it is returned
			field = fault.Field
		}
		if (err == nil) != (test.field == "") || field != test.field {
			t.Errorf("%+v of %d bytes: %v", test.secret, len(test.value), err)
		}
	}
}

func TestCredentials(t *testing.T) {
	helper := filepath.Join(t.TempDir(), "helper")
	if err := os.WriteFile(helper, []byte("#!/bin/sh\nread -r host\ncase $1$host in\n"+
		"getecr.example.com) echo '{\"ServerURL\":\"x\",\"Username\":\"AWS\",\"Secret\":\"s3\"}';;\n"+
		"getid.example.com) echo '{\"Username\":\"<token>\",\"Secret\":\"t0k\"}';;\n"+
		"gethttps://index.docker.io/v1/) echo '{\"Username\":\"hub\",\"Secret\":\"helped\"}';;\n"+
		"getnone.example.com) echo 'credentials not found in native keychain'; exit 1;;\n*) echo broken >&2; exit 1;;\nesac\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	commands := map[string]string{}
	for _, host := range []string{"ecr.example.com", "id.example.com", "none.example.com", "broken.example.com", "registry-1.docker.io"} {
		commands[host] = helper
	}
	e := newEnv(t, commands)
	e.set(catalog.Secret{Namespace: "ann", Kind: catalog.SecretRegistry, Name: "https://index.docker.io/v1/", Username: "ann"}, "hub-password")
	e.set(catalog.Secret{Namespace: "ann", Kind: catalog.SecretRegistry, Name: "ghcr.io", Username: "ann"}, "own")
	e.set(catalog.Secret{Kind: catalog.SecretRegistry, Name: "ghcr.io", Username: "all"}, "wide")
	e.set(catalog.Secret{Kind: catalog.SecretRegistry, Name: "ecr.example.com", Username: "all"}, "wide")
	for _, test := range []struct{ namespace, host, want string }{
		{"ann", "registry-1.docker.io", "ann:hub-password"}, {"ann", "docker.io", "ann:hub-password"},
		{"bob", "registry-1.docker.io", "hub:helped"},
		{"ann", "ghcr.io", "ann:own"}, {"bob", "ghcr.io", "all:wide"}, {"bob", "GHCR.io", "all:wide"},
		{"bob", "ecr.example.com", "all:wide"}, {"bob", "id.example.com", ":t0k"}, {"bob", "none.example.com", ":"}, {"bob", "quay.io", ":"},
	} {
		username, password, err := e.CredentialFor(t.Context(), test.namespace, test.host)
		if got := username + ":" + password; got != test.want || err != nil {
			t.Errorf("%s at %s: %q, %v; want %q", test.namespace, test.host, got, err, test.want)
		}
	}
	if _, _, err := e.CredentialFor(t.Context(), "bob", "broken.example.com"); catalog.CodeOf(err) != catalog.Unavailable {
		t.Errorf("a broken helper: %v", err)
	}
	for host, want := range map[string]bool{"registry-1.docker.io": true, "ghcr.io": true, "none.example.com": true, "quay.io": false} {
		if got, err := e.HadAccount(t.Context(), host); got != want || err != nil {
			t.Errorf("%s had an account: %t, %v", host, got, err)
		}
	}
}

// Nothing of a value is in any file, but sealed; nor is one row's value good for another.
func TestValuesAreSealed(t *testing.T) {
	e := newEnv(t, nil)
	const value = "correct-horse-battery"
	e.set(catalog.Secret{Name: "token"}, value)
	e.must(filepath.WalkDir(e.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), value) {
			t.Errorf("%s contains the value", path)
		}
		return err
	}))
	secretsOf, err := e.store.ListSecrets(t.Context(), "ann")
	e.must(err)
	_, err = e.store.PutSecret(t.Context(), catalog.Secret{Namespace: "bob", Kind: catalog.SecretValue, Name: "token", Sealed: secretsOf[0].Sealed})
	e.must(err)
	if got, err := e.ForBuild(t.Context(), catalog.Build{Image: catalog.ImageRef{Namespace: "bob", Name: "app"}}); err == nil {
		t.Errorf("a value of another namespace was opened: %s", fmt.Sprint(got))
	}
	listed, err := e.List(t.Context(), "ann", catalog.SecretValue)
	e.must(err)
	if len(listed) != 1 || listed[0].Sealed != nil {
		t.Errorf("listed: %+v", listed)
	}
	if err := e.Remove(t.Context(), "bob", listed[0].ID, catalog.SecretValue); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("removed by another namespace: %v", err)
	}
	if err := e.Remove(t.Context(), "ann", listed[0].ID, catalog.SecretRegistry); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("removed as another kind: %v", err)
	}
	e.must(e.Remove(t.Context(), "ann", listed[0].ID, catalog.SecretValue))
}

// What a namespace's secrets hold together is bounded: every build has all of them in memory.
func TestHowMuchANamespaceKeeps(t *testing.T) {
	e := newEnv(t, nil)
	value := strings.Repeat("a", secrets.MaxValue)
	for i := range secrets.MaxTotal / secrets.MaxValue {
		e.set(catalog.Secret{Name: fmt.Sprint("s", i)}, value)
	}
	e.set(catalog.Secret{Name: "s0"}, value) // in place of another
	if _, err := e.Set(t.Context(), catalog.Secret{Namespace: "ann", Kind: catalog.SecretValue, Name: "more"}, []byte("x")); catalog.CodeOf(err) != catalog.Forbidden {
		t.Errorf("one more: %v", err)
	}
	e.set(catalog.Secret{Namespace: "bob", Name: "more"}, "x")
	e.set(catalog.Secret{Name: "s0"}, "short")
	e.set(catalog.Secret{Name: "more"}, "x")
}

// Without the key file that they were set under, builds are told which secrets to set again.
func TestSecretsOfAnotherKeyFile(t *testing.T) {
	e := newEnv(t, nil)
	e.set(catalog.Secret{Name: "token"}, "value")
	e.set(catalog.Secret{Namespace: "ann", Kind: catalog.SecretRegistry, Name: "ghcr.io", Username: "ann"}, "own")
	keys, err := secrets.Open(filepath.Join(t.TempDir(), "other.key"))
	e.must(err)
	e.Service, err = secrets.New(t.Context(), secrets.Config{Store: e.store, Keyring: keys})
	e.must(err)
	_, err = e.ForBuild(t.Context(), catalog.Build{Image: e.app.Ref, ImageID: e.app.ID, Version: "v1"})
	if !strings.Contains(catalog.MessageOf(err), "secret token can't be read with the server's key file; set it again") {
		t.Errorf("a secret: %v", err)
	}
	_, _, err = e.CredentialFor(t.Context(), "ann", "ghcr.io")
	if !strings.Contains(catalog.MessageOf(err), "password at ghcr.io can't be read with the server's key file; set it again") {
		t.Errorf("an account: %v", err)
	}
	e.set(catalog.Secret{Name: "token"}, "new")
	if got := e.forBuild(catalog.Build{Image: e.app.Ref, ImageID: e.app.ID, Version: "v1"}); got != "secret token=new" {
		t.Errorf("set again: %q", got)
	}
}
