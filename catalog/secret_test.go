package catalog_test

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestRegistryHost(t *testing.T) {
	for text, want := range map[string]string{
		"docker.io": "docker.io", "index.docker.io": "docker.io", "registry-1.docker.io": "docker.io",
		"https://index.docker.io/v1/": "docker.io", "Docker.IO": "docker.io",
		"ghcr.io": "ghcr.io", "https://ghcr.io/": "ghcr.io", "ghcr.io:443": "ghcr.io", "127.0.0.1:5000": "127.0.0.1:5000",
		"localhost:5000": "localhost:5000", "[::1]:5000": "[::1]:5000", "https://example.com/v2/": "example.com",
		"": "", "ghcr.io/acme": "", "a b": "", "user@ghcr.io": "", "ghcr.io:port": "", "-x.io": "", "..": "",
	} {
		got, err := catalog.RegistryHost(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestWithoutPort(t *testing.T) {
	for host, want := range map[string]string{"ghcr.io": "ghcr.io", "ghcr.io:5000": "ghcr.io", "127.0.0.1:1": "127.0.0.1", "[::1]:5000": "[::1]", "[::1]": "[::1]"} {
		if got := catalog.WithoutPort(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func TestSecretIsFor(t *testing.T) {
	for _, test := range []struct {
		secret catalog.Secret
		want   bool
	}{
		{catalog.Secret{}, true},
		{catalog.Secret{ImageID: 1}, true},
		{catalog.Secret{ImageID: 2}, false},
		{catalog.Secret{Tags: "v*"}, true},
		{catalog.Secret{Tags: "w* v1"}, false},
		{catalog.Secret{ImageID: 1, Tags: "v1.0"}, true},
	} {
		if got := test.secret.For(1, "v1.0"); got != test.want {
			t.Errorf("%+v: %t", test.secret, got)
		}
	}
	for name, want := range map[string]bool{"npm_token": true, "GIT_AUTH_TOKEN.github.com": true, "default": true, "": false, "a/b": false, "a b": false, ".x": false} {
		if err := catalog.ValidateSecretName(name); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
}
