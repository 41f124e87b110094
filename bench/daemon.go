package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readers is how many users ask for much: each stays below what one may ask.
const readers = 40

// user owns every repository on both sides.
const user = "bench"

// daemon is a running fandoghd with one user.
type daemon struct {
	*process
	bench     *bench
	data      string
	http, ssh string
	sshFlags  string
	token     string
	recorders []*recorder // of profiles
}

// startDaemon runs fandoghd on a new data directory and waits until it builds.
func startDaemon(ctx context.Context, b *bench, dir string, env ...string) (*daemon, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	d := &daemon{bench: b, data: filepath.Join(dir, "data")}
	if err := d.start(ctx, dir, env); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

func (d *daemon) start(ctx context.Context, dir string, env []string) error {
	buildkitd, debug, err := d.bench.debuggedBuildkitd(ctx, dir)
	if err != nil {
		return err
	}
	if err := d.run(ctx, dir, slices.Concat(env, buildkitd), "/readyz"); err != nil {
		return err
	}
	key, err := makeKey(ctx, dir)
	if err != nil {
		return err
	}
	d.sshFlags = sshFlags(key)
	if err := d.addUser(ctx, user, key+".pub"); err != nil {
		return err
	}
	if d.token, err = d.admin(ctx, "", "token", "create", user); err != nil {
		return err
	}
	return d.record(ctx, debug)
}

// stop ends the daemon after its last profile.
func (d *daemon) stop() {
	for _, r := range d.recorders {
		r.stop()
	}
	d.process.stop()
}

// run starts the process and waits for an HTTP path to answer.
func (d *daemon) run(ctx context.Context, dir string, env []string, path string) error {
	addresses := filepath.Join(d.data, "addresses.json")
	_ = os.Remove(addresses)
	var err error
	d.process, err = startProcess(ctx, filepath.Join(dir, "fandoghd.log"), env, d.bench.tool("fandoghd"),
		"serve", "--data", d.data, "--http", "127.0.0.1:0", "--ssh", "127.0.0.1:0")
	if err != nil {
		return err
	}
	return d.await(ctx, func() bool {
		text, err := os.ReadFile(addresses)
		if err != nil {
			return false
		}
		var a struct{ HTTP, SSH string }
		if json.Unmarshal(text, &a) != nil {
			return false
		}
		d.http, d.ssh = a.HTTP, a.SSH
		return answers(ctx, "http://"+d.http+path)
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

func (d *daemon) admin(ctx context.Context, stdin string, args ...string) (string, error) {
	if stdin != "" {
		return command(ctx, "", nil, "sh", append([]string{"-c", `printf %s "$0" | "$@"`, stdin, d.bench.tool("fandoghd"), "admin", "--data", d.data}, args...)...)
	}
	return command(ctx, "", nil, d.bench.tool("fandoghd"), append([]string{"admin", "--data", d.data}, args...)...)
}

func (d *daemon) addUser(ctx context.Context, name, publicKey string, flags ...string) error {
	args := append([]string{"user", "add", name, "--password-stdin"}, flags...)
	if _, err := d.admin(ctx, "password-of-"+name, args...); err != nil {
		return err
	}
	if publicKey == "" {
		return nil
	}
	_, err := d.admin(ctx, "", "key", "add", name, publicKey)
	return err
}

func (d *daemon) name() string                          { return "ours" }
func (d *daemon) env() []string                         { return gitEnv(d.sshFlags) }
func (d *daemon) prepare(context.Context, string) error { return nil }
func (d *daemon) remote(app string) string              { return "ssh://git@" + d.ssh + "/" + user + "/" + app }
func (d *daemon) image(app, tag string) string          { return d.http + "/" + user + "/" + app + ":" + tag }
func (d *daemon) credentials() (name, password string)  { return user, d.token }

// addReaders makes users who may read what the user has, and returns their tokens:
// the daemon bounds how much one user asks at once.
func (d *daemon) addReaders(ctx context.Context) (tokens []string, err error) {
	for i := range readers {
		name := fmt.Sprintf("reader%d", i)
		if err := d.addUser(ctx, name, ""); err != nil {
			return nil, err
		}
		token, err := d.admin(ctx, "", "token", "create", name)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token)
		if err := d.call(ctx, d.token, http.MethodPut, "namespaces/"+user+"/members/"+name, strings.NewReader(`{"role": "read"}`)); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// call asks the REST API and reads the whole answer.
func (d *daemon) call(ctx context.Context, token, method, path string, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+d.http+"/api/"+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "JWT "+token)
	request.Header.Set("ACTIVE-NAMESPACE", user)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(text)))
	}
	return err
}
