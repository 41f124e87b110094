package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// FuzzFile holds that a file that is taken, written again from what it sets, sets the same.
func FuzzFile(f *testing.F) {
	text, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	for _, seed := range []string{"", "ssh:\n  max_pack: 1234567\n", "ssh: {idle_timeout: 90s}\n", "uploads:\n  max_archive: -1\n", "uploads:\n  max_archive: 99999999PiB\n", "http:\n  trusted_proxies: [10.0.0.0/8]\n", "a: &a [*a]\n", "data: \"\\0\"\n"} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 8<<10 {
			return
		}
		file, again := filepath.Join(dir, "one"), filepath.Join(dir, "two")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file, nil)
		if err != nil || c.Validate() != nil {
			return
		}
		written, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(again, written, 0o600); err != nil {
			t.Fatal(err)
		}
		same, err := Load(again, nil)
		if err != nil {
			t.Fatalf("%s can't be read again: %v", written, err)
		}
		if !reflect.DeepEqual(withoutNil(c), withoutNil(same)) {
			t.Errorf("%+v became %+v", c, same)
		}
	})
}

// withoutNil makes empty lists one kind.
func withoutNil(c Config) Config {
	for _, list := range []*[]string{&c.Builder.Addresses, &c.Builder.Frontends, &c.Builder.Network.Allow, &c.HTTP.TLS.ACMEHosts, &c.HTTP.TrustedProxies, &c.Registry.CacheTags, &c.Builder.PullThrough.Registries, &c.Retention.Versions.Keep, &c.Retention.Branches.Keep} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	if len(c.Builder.Mirrors) == 0 {
		c.Builder.Mirrors = nil
	}
	return c
}

// FuzzEnvironment holds that a variable sets what the same text in a file does.
func FuzzEnvironment(f *testing.F) {
	for _, seed := range []string{"512MiB", "1", "-1", "1e3", "2 GiB", "0x10", "1_000", "99999999999999999999", ""} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, value string) {
		if value == "" || strings.ContainsAny(value, "\x00\r\n") || strings.TrimSpace(value) != value || strings.ContainsAny(value, `"'\`) {
			return
		}
		byEnv, envErr := Load("", []string{EnvPrefix + "SSH_MAX_PACK=" + value})
		n, err := ParseSize(value)
		if (err == nil) != (envErr == nil) || err == nil && (byEnv.SSH.MaxPack != n || n < 0) {
			t.Fatalf("%q is %d, %v, and in the environment %d, %v", value, n, err, byEnv.SSH.MaxPack, envErr)
		}
		if err != nil {
			return
		}
		file := filepath.Join(dir, "config")
		if err := os.WriteFile(file, []byte("ssh:\n  max_pack: \""+value+"\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if byFile, err := Load(file, nil); err == nil && byFile.SSH.MaxPack != n {
			t.Errorf("%q is %d, and in a file %d", value, n, byFile.SSH.MaxPack)
		}
	})
}
