package programs

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
)

// Fandoghd is a running daemon on loopback.
type Fandoghd struct {
	*Process
	Data      string // its data directory
	HTTP, SSH string // host:port
	binary    string
}

// StartFandoghd runs the daemon on dir/data and waits until path answers 200.
func StartFandoghd(ctx context.Context, binary, dir, path string, env []string) (*Fandoghd, error) {
	d := &Fandoghd{Data: filepath.Join(dir, "data"), binary: binary}
	addresses := filepath.Join(d.Data, "addresses.json")
	_ = os.Remove(addresses)
	var err error
	d.Process, err = Start(ctx, filepath.Join(dir, "fandoghd.log"), env, binary, "serve", "--data", d.Data, "--http", "127.0.0.1:0", "--ssh", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	err = d.Await(ctx, func() bool {
		text, err := os.ReadFile(addresses)
		if err != nil {
			return false
		}
		var a struct{ HTTP, SSH string }
		if json.Unmarshal(text, &a) != nil {
			return false
		}
		d.HTTP, d.SSH = a.HTTP, a.SSH
		return answers(ctx, "http://"+d.HTTP+path)
	})
	if err != nil {
		d.Stop()
		return nil, err
	}
	return d, nil
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
func (d *Fandoghd) Admin(ctx context.Context, stdin string, args ...string) (string, error) {
	if stdin != "" {
		return Command(ctx, "", nil, "sh", append([]string{"-c", `printf %s "$0" | "$@"`, stdin, d.binary, "admin", "--data", d.Data}, args...)...)
	}
	return Command(ctx, "", nil, d.binary, append([]string{"admin", "--data", d.Data}, args...)...)
}

// AddUser makes a user with a password and, unless publicKey is empty, a key.
func (d *Fandoghd) AddUser(ctx context.Context, name, publicKey string, flags ...string) error {
	args := append([]string{"user", "add", name, "--password-stdin"}, flags...)
	if _, err := d.Admin(ctx, "password-of-"+name, args...); err != nil {
		return err
	}
	if publicKey == "" {
		return nil
	}
	_, err := d.Admin(ctx, "", "key", "add", name, publicKey)
	return err
}
