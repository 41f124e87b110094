package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fandoghpaas/fandogh/internal/atomicfile"
	"github.com/fandoghpaas/fandogh/internal/language"
)

// credentials is the file with everything that logins leave behind. It holds
// tokens, so only its owner may read it.
type credentials struct {
	Server string           `json:"server"` // of the last login
	Logins map[string]login `json:"logins"` // by the address of the API
}

// login is one user at one server.
type login struct {
	Username  string `json:"username"`
	Token     string `json:"token"`
	TokenID   int64  `json:"token_id"`            // to revoke it by
	Namespace string `json:"namespace,omitempty"` // chosen by `namespace use`
}

func credentialsPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", language.Errorf("failed to find your configuration directory: %w", err)
	}
	return filepath.Join(dir, "fandogh", "credentials.json"), nil
}

// readCredentials returns what is saved; nothing at all is no error.
func readCredentials() (credentials, error) {
	none := credentials{Logins: map[string]login{}}
	path, err := credentialsPath()
	if err != nil {
		return none, nil //nolint:nilerr // without a home directory there is no login; FANDOGH_TOKEN still works
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, language.Errorf("failed to read your logins: %w", err)
	}
	saved := none
	if err := json.Unmarshal(data, &saved); err != nil {
		return none, language.Errorf("%s is damaged (%w); delete it and log in again", path, err)
	}
	if saved.Logins == nil {
		saved.Logins = none.Logins
	}
	return saved, nil
}

// changeCredentials replaces the file by what change makes of it.
func changeCredentials(change func(*credentials)) error {
	saved, err := readCredentials()
	if err != nil {
		return err
	}
	change(&saved)
	data, err := json.MarshalIndent(saved, "", "  ")
	if err != nil {
		return err
	}
	path, err := credentialsPath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return language.Errorf("failed to save your login: %w", err)
	}
	if err := atomicfile.Replace(path, append(data, '\n'), 0o600); err != nil {
		return language.Errorf("failed to save your login: %w", err)
	}
	return nil
}
