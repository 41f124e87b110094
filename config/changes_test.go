package config

import (
	"slices"
	"testing"
	"time"
)

func TestChanges(t *testing.T) {
	c := Default()
	c.GitHub.App.WebhookSecret = "hush"
	to := c
	if changes := c.Changes(to); changes != nil {
		t.Errorf("of the same: %v", changes)
	}
	to.Builder.Addresses, to.Builder.Mirrors = []string{}, nil // as good as before
	to.HTTP.Addr, to.SSH.MaxPack, to.Builder.Timeout = ":80", 1<<30, Duration(90*time.Minute)
	to.Retention.Versions.Keep, to.Builder.Mirrors = []string{"v*", "x"}, Mirrors{"docker.io": {"https://mirror.example.com"}}
	to.GitHub.App.WebhookSecret = "other"
	to.Builder.CredentialHelpers = map[string]string{"ghcr.io": "helper --password hush"}
	want := []Change{
		{"http.addr", "127.0.0.1:8080", ":80"},
		{"ssh.max_pack", "2GiB", "1GiB"},
		{"builder.timeout", "1h0m0s", "1h30m0s"},
		{"builder.mirrors", "{}", "{docker.io: [https://mirror.example.com]}"},
		{"builder.credential_helpers", "{}", "{ghcr.io: helper (hidden)}"},
		{"github.app.webhook_secret", "(hidden)", "(hidden)"},
		{"retention.versions.keep", "[]", "[v*, x]"},
	}
	if changes := c.Changes(to); !slices.Equal(changes, want) {
		t.Errorf("got  %q\nwant %q", changes, want)
	}
}
