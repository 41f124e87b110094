package programs

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
)

// Fandoghd is a daemon on loopback.
type Fandoghd struct {
	*Process
	Binary    string
	Data      string // its data directory, in one for its log
	HTTP, SSH string // host:port, of the run
}

// Run starts the daemon and waits until the path answers 200.
func (f *Fandoghd) Run(ctx context.Context, path string, env []string) error {
	addresses := filepath.Join(f.Data, "addresses.json")
	_ = os.Remove(addresses)
	log := filepath.Join(filepath.Dir(f.Data), "fandoghd.log")
	var err error
	if f.Process, err = Start(ctx, log, env, f.Binary, "serve", "--data", f.Data, "--http", "127.0.0.1:0", "--ssh", "127.0.0.1:0"); err != nil {
		return err
	}
	return f.Await(ctx, func() bool {
		text, err := os.ReadFile(addresses)
		if err != nil {
			return false
		}
		var a struct{ HTTP, SSH string }
		if json.Unmarshal(text, &a) != nil {
			return false
		}
		f.HTTP, f.SSH = a.HTTP, a.SSH
		return answers(ctx, "http://"+f.HTTP+path)
	})
}

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// Admin runs `fandoghd admin` on the data directory and returns its standard output.
func (f *Fandoghd) Admin(ctx context.Context, stdin string, args ...string) (string, error) {
	if stdin != "" {
		return Command(ctx, "", nil, "sh", append([]string{"-c", `printf %s "$0" | "$@"`, stdin, f.Binary, "admin", "--data", f.Data}, args...)...)
	}
	return Command(ctx, "", nil, f.Binary, append([]string{"admin", "--data", f.Data}, args...)...)
}

// AddUser makes a user with a password and, unless publicKey is empty, a key.
func (f *Fandoghd) AddUser(ctx context.Context, name, publicKey string, flags ...string) error {
	args := append([]string{"user", "add", name, "--password-stdin"}, flags...)
	if _, err := f.Admin(ctx, "password-of-"+name, args...); err != nil {
		return err
	}
	if publicKey == "" {
		return nil
	}
	_, err := f.Admin(ctx, "", "key", "add", name, publicKey)
	return err
}
