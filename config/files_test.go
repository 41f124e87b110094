package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is read again at each reload must not block it: a pipe is refused, whatever setting names it, and so is a file without an end.
func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	pipe, large := filepath.Join(dir, "pipe"), filepath.Join(dir, "large")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 1<<30); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{pipe: "it is no regular file", dir: "it is no regular file", large: "it is longer than"} {
		if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the configuration %s: %v", file, err)
		}
	}
	for _, setting := range []string{"HTTP_TLS_CERT", "HTTP_TLS_KEY", "SIGNING_KEY", "SSH_TRUSTED_USER_CA", "BUILDER_TLS_CA", "GITHUB_APP_KEY", "GITHUB_APP_WEBHOOK_SECRET_FILE"} {
		c, err := Load("", []string{EnvPrefix + setting + "=" + pipe, "FANDOGH_GITHUB_APP_ID=1"})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), pipe+": it is no regular file") {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
