package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What is too long to be meant is refused, and never sent without its end.
func TestLongInput(t *testing.T) {
	long := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(long, []byte(strings.Repeat("a", maxKeyFile+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func(*app) (string, error){
		"a key in a file": func(a *app) (string, error) { return a.readKey([]string{long}) },
		"a key":           func(a *app) (string, error) { return a.readKey([]string{"-"}) },
		"a password":      func(a *app) (string, error) { return a.password(&cobra.Command{}, loginOptions{passwordStdin: true}) },
		"a token": func(a *app) (string, error) {
			in, err := githubConnectOptions{tokenStdin: true}.settings(&cobra.Command{}, a, "acme/shop")
			if in.Token == nil {
				return "", err
			}
			return *in.Token, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := os.Open(long)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close() //nolint:errcheck // only read
			got, err := read(&app{in: in})
			if err == nil || !strings.Contains(err.Error(), "longer than") {
				t.Errorf("%d bytes were taken, %v", len(got), err)
			}
		})
	}
}
