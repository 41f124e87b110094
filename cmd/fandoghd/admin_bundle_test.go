package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/config"
)

// planted begins every secret of the tests.
const planted = "planted0"

// TestSupportBundleHasNoSecrets plants them wherever settings, files and log lines may have some.
func TestSupportBundleHasNoSecrets(t *testing.T) {
	dir := t.TempDir()
	data, log, file := filepath.Join(dir, "data"), filepath.Join(dir, "fandoghd.log"), filepath.Join(dir, "config.yaml")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	sqlitetest.OpenFile(t, databasePath(data))
	lines := strings.Join([]string{
		"2026-01-02T03:04:05Z [INFO]  fandoghd.git: pushed: user=ann image=ann/app",
		`request: header="Authorization: Bearer ` + planted + `-bearer" Authorization: Basic ` + planted + `-basic`,
		`{"@message":"login","password":"` + planted + `-json","text":"{\"token\":\"` + planted + `-nested\"}"}`,
		"fetched https://bot:" + planted + "-userinfo@git.example.com/x?access_token=" + planted + "-query and https://cdn.example.com/blob?X-Sig=" + planted + "-signature",
		"token fdg_" + planted + "0123456789abcdef was used, and ghp_" + planted + "0123456789abcdef",
		"-----BEGIN PRIVATE KEY-----\n" + planted + "-pem\n-----END PRIVATE KEY-----",
		"the daemon said " + planted + "-key-file, " + planted + "-admin-password, " + planted + "-webhook and " + planted + "-helper",
		`audit: rebuild: user=ann arguments=["-o", "build-arg=LICENSE=` + planted + `-arg", "v1"]`,
		"api_key=" + planted + "-apikey&secret: " + planted + "-colon",
	}, "\n") + "\n"
	settings := `
github:
  api_url: https://ann:` + planted + `-api@github.example.com/api?key=` + planted + `-api
  app: {webhook_secret: ` + planted + `-webhook}
http:
  public_url: https://ann:` + planted + `-public@images.example.com
  tls: {acme_directory: "https://ca.example.com/dir?key=` + planted + `-acme"}
builder:
  addresses: ["tcp://ann:` + planted + `-address@buildkit:1234"]
  mirrors: {docker.io: ["https://ann:` + planted + `-mirror@mirror.example.com"]}
  credential_helpers: {registry.example.com: "docker-credential-x --key ` + planted + `-helper"}
`
	for name, text := range map[string]string{
		file: settings, log: lines, filepath.Join(data, secretsKey): planted + "-key-file\n", filepath.Join(data, "initial-admin-password"): planted + "-admin-password\n",
		filepath.Join(data, "signing.key"): planted, filepath.Join(data, "ssh_host_ed25519_key"): planted,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(config.EnvPrefix+"GITHUB_SSH_URL", "ssh://git:"+planted+"-ssh@github.example.com")
	bundle := filepath.Join(dir, "bundle.tar.gz")
	args := []string{"admin", "--data", data, "support-bundle", bundle, "--config", file, "--log", log}
	if code := run(t.Context(), args); code != 0 {
		t.Fatalf("exit %d", code)
	}
	if info, err := os.Stat(bundle); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	parts := unpack(t, bundle)
	for name, text := range parts {
		if _, rest, found := strings.Cut(text, planted); found {
			t.Errorf("%s has a secret: %s%.40s", name, planted, rest)
		}
	}
	for name, want := range map[string]string{
		"versions.txt": "fandoghd ", "settings.yaml": "docker-credential-x (hidden)", "doctor.txt": "ok ", "database.txt": "queue: 0 wait, 0 run; the queue is not paused\n",
		"data.txt": "signing.key", "metrics.txt": "metrics.addr", "log.txt": "image=ann/app",
	} {
		if !strings.Contains(parts["fandogh-support/"+name], want) {
			t.Errorf("%s lacks %q:\n%s", name, want, parts["fandogh-support/"+name])
		}
	}
	if text := parts["fandogh-support/database.txt"]; !strings.Contains(text, "rows of versions: 0\n") || !strings.Contains(text, "\nschema ") || !strings.Contains(text, "\nbytes ") {
		t.Errorf("facts:\n%s", text)
	}

	if code := run(t.Context(), args); code != exitUsage {
		t.Errorf("over a file that is there: exit %d", code)
	}
	// A file that is no configuration, and a database that is none: the rest is told.
	if err := os.WriteFile(file, []byte("http: ["+planted), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(databasePath(data), []byte(strings.Repeat(planted, 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	args[4] = bundle + "2"
	if code := run(t.Context(), args); code != 0 {
		t.Fatalf("exit %d", code)
	}
	parts = unpack(t, bundle+"2")
	for _, name := range []string{"settings.yaml", "database.txt"} {
		if text := parts["fandogh-support/"+name]; !strings.Contains(text, "could not be read") || strings.Contains(text, planted) {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	if len(parts) != 7 {
		t.Errorf("has %d parts", len(parts))
	}
	if code := run(t.Context(), []string{"admin", "--data", dir + "/none", "support-bundle", bundle + "3"}); code != exitUsage {
		t.Errorf("without a data directory: exit %d", code)
	}
}

func unpack(t *testing.T, file string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compressed, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		parts[header.Name] = string(text)
	}
}
