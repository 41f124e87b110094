package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
)

// TestWithoutSecrets sets whatever sounds like a secret, so that a new one is hidden, too.
func TestWithoutSecrets(t *testing.T) {
	params, err := env.GetFieldParamsWithOptions(&Config{}, env.Options{Prefix: EnvPrefix})
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{EnvPrefix + "BUILDER_CREDENTIAL_HELPERS=registry.example.com=docker-credential-x --key planted-helper"}
	for _, p := range params {
		if regexp.MustCompile(`SECRET|PASSWORD|TOKEN|CREDENTIAL`).MatchString(p.Key) && !regexp.MustCompile(`_FILE$|_MAX_|CREDENTIAL_HELPERS`).MatchString(p.Key) {
			environ = append(environ, p.Key+"=planted-"+p.Key)
		}
	}
	if len(environ) < 2 {
		t.Fatal("found no setting that is a secret")
	}
	c, err := Load("", environ)
	if err != nil {
		t.Fatal(err)
	}
	shown, secrets := c.WithoutSecrets()
	text, err := yaml.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "planted") || !strings.Contains(string(text), "docker-credential-x (hidden)") {
		t.Errorf("shown:\n%s", text)
	}
	for _, pair := range environ {
		secret := pair[strings.Index(pair, "planted"):]
		if !slices.Contains(secrets, secret) {
			t.Errorf("%s is not among the secrets %v", secret, secrets)
		}
	}
	if again, _ := Load("", environ); again.GitHub.App.WebhookSecret != c.GitHub.App.WebhookSecret || len(c.Builder.CredentialHelpers) != len(again.Builder.CredentialHelpers) {
		t.Error("the original was changed")
	}
}

// What is wrong with a file is told by its place, and not by lines that may have secrets: it goes to the daemon's log.
func TestFaultsTellNoSecrets(t *testing.T) {
	const app = "github: {app: {webhook_secret: planted-secret}}\n"
	for name, text := range map[string]string{
		"a line that can't be read": app + "data: [\n",
		"an unknown setting":        app + "nonsense: 1\n",
		"a value of another kind":   app + "users: {max_keys: many}\n",
		"the same twice":            app + app,
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(file, nil)
			if err == nil || strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), file+": [") {
				t.Errorf("%v", err)
			}
		})
	}
}
