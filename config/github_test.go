package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGitHubFaults(t *testing.T) {
	secret, short := filepath.Join(t.TempDir(), "secret"), filepath.Join(t.TempDir(), "short")
	if err := errors.Join(os.WriteFile(secret, []byte("sixteen characters\n"), 0o600), os.WriteFile(short, []byte("fifteen charac\n\n\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if got, err := (GitHubApp{WebhookSecretFile: secret}).Secret(); err != nil || got != "sixteen characters" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, test := range []struct {
		what   string
		change func(*GitHub)
		fault  string // empty: none
	}{
		{"another host", func(g *GitHub) { g.BaseURL = "http://127.0.0.1:3000" }, ""},
		{"its own addresses", func(g *GitHub) { g.APIURL, g.SSHURL = "https://host/api/v3", "ssh://git@host:2222" }, ""},
		{"no scheme", func(g *GitHub) { g.BaseURL = "github.com" }, "github.base_url"},
		{"API without host", func(g *GitHub) { g.APIURL = "https://" }, "github.api_url"},
		{"SSH by another scheme", func(g *GitHub) { g.SSHURL = "https://host" }, "github.ssh_url"},
		{"App without key", func(g *GitHub) { g.App.ID, g.App.WebhookSecret = 1, "sixteen characters" }, "github.app.key"},
		{"App without secret", func(g *GitHub) { g.App.ID, g.App.Key = 1, "github_test.go" }, "github.app.webhook_secret"},
		{"App with a short secret", func(g *GitHub) { g.App.ID, g.App.Key, g.App.WebhookSecret = 1, "github_test.go", "short" }, "github.app.webhook_secret"},
		{"App with a secret in a file", func(g *GitHub) { g.App.ID, g.App.Key, g.App.WebhookSecretFile = 1, "github_test.go", secret }, ""},
		{"App with a short secret in a file", func(g *GitHub) { g.App.ID, g.App.Key, g.App.WebhookSecretFile = 1, "github_test.go", short }, "github.app.webhook_secret_file"},
		{"App with both", func(g *GitHub) {
			g.App.ID, g.App.Key, g.App.WebhookSecret, g.App.WebhookSecretFile = 1, "github_test.go", "sixteen characters", secret
		}, "github.app.webhook_secret"},
		{"a secret that is not there", func(g *GitHub) { g.App.ID, g.App.Key, g.App.WebhookSecretFile = 1, "github_test.go", "nowhere" }, "github.app.webhook_secret_file"},
		{"a key that is not there", func(g *GitHub) { g.App.Key = "nowhere.pem" }, "github.app.key"},
		{"no deliveries", func(g *GitHub) { g.MaxDelivery = 0 }, "github.max_delivery"},
		{"no interval", func(g *GitHub) { g.SyncInterval = 0 }, "github.sync_interval"},
	} {
		c := Default()
		test.change(&c.GitHub)
		err := c.Validate()
		if (err == nil) != (test.fault == "") || err != nil && !strings.HasPrefix(err.Error(), test.fault) {
			t.Errorf("%s: got %v, want %q", test.what, err, test.fault)
		}
	}
}
