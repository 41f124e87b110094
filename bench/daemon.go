package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/programs"
)

// readers is how many users ask for much: each stays below what one may ask.
const readers = 40

// user owns every repository on both sides.
const user = "bench"

// maxAnswer bounds what a program may answer, in bytes; profiles are the largest.
const maxAnswer = 256 << 20

// daemon is a fandoghd with one user.
type daemon struct {
	*programs.Fandoghd
	bench     *bench
	sshFlags  string
	token     string
	recorders []*recorder // of profiles
}

func (b *bench) newDaemon(dir string) (*daemon, error) {
	return &daemon{
		Fandoghd: &programs.Fandoghd{Binary: b.tool("fandoghd"), Data: filepath.Join(dir, "data")}, bench: b,
	}, os.MkdirAll(dir, 0o755)
}

// startDaemon runs fandoghd on a new data directory and waits until it builds.
func startDaemon(ctx context.Context, b *bench, dir string, env ...string) (*daemon, error) {
	d, err := b.newDaemon(dir)
	if err != nil {
		return nil, err
	}
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
	if err := d.Run(ctx, "/readyz", slices.Concat(env, buildkitd)); err != nil {
		return err
	}
	key, err := programs.MakeKey(ctx, dir)
	if err != nil {
		return err
	}
	d.sshFlags = programs.SSHFlags(key)
	if err := d.AddUser(ctx, user, key+".pub"); err != nil {
		return err
	}
	if d.token, err = d.Admin(ctx, "", "token", "create", user); err != nil {
		return err
	}
	return d.record(ctx, debug)
}

// stop ends the daemon after its last profile.
func (d *daemon) stop() {
	for _, r := range d.recorders {
		r.stop()
	}
	d.Stop()
}

func (d *daemon) name() string                          { return "ours" }
func (d *daemon) env() []string                         { return programs.GitEnv(d.sshFlags) }
func (d *daemon) prepare(context.Context, string) error { return nil }
func (d *daemon) remote(app string) string              { return "ssh://git@" + d.SSH + "/" + user + "/" + app }
func (d *daemon) image(app, tag string) string          { return d.HTTP + "/" + user + "/" + app + ":" + tag }
func (d *daemon) credentials() (name, password string)  { return user, d.token }

// addReaders makes users who may read what the user has, and returns their tokens:
// the daemon bounds how much one user asks at once.
func (d *daemon) addReaders(ctx context.Context) (tokens []string, err error) {
	for i := range readers {
		name := fmt.Sprintf("reader%d", i)
		if err := d.AddUser(ctx, name, ""); err != nil {
			return nil, err
		}
		token, err := d.Admin(ctx, "", "token", "create", name)
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
	return d.ask(ctx, token, method, "api/"+path, body)
}

// ask is call, for any path.
func (d *daemon) ask(ctx context.Context, token, method, path string, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+d.HTTP+"/"+path, body)
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
	text, err := bounded.ReadAll(response.Body, maxAnswer)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(text)))
	}
	return err
}
