//go:build deploy

package deploy

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/programs"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// repository is the root of this one.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// tool is a program that `make tools` or `make build` made.
func tool(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("FANDOGH_TEST_TOOLS")
	if dir == "" {
		dir = filepath.Join(repository(t), "bin")
	}
	return filepath.Join(dir, name)
}

// command runs a program and returns its standard output; the test fails when it does.
func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := programs.Command(t.Context(), dir, env, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// addresses are those of the daemon on a data directory; empty while it does not serve.
func addresses(data string) (http, ssh string) {
	text, err := os.ReadFile(filepath.Join(data, "addresses.json"))
	if err != nil {
		return "", ""
	}
	var a struct{ HTTP, SSH string }
	if json.Unmarshal(text, &a) != nil {
		return "", ""
	}
	return a.HTTP, a.SSH
}

// answers reports whether a URL answers 200.
func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// awaitReady waits until a process serves a data directory, and can build.
func awaitReady(t *testing.T, p *programs.Process, data string) {
	t.Helper()
	err := p.Await(t.Context(), func() bool {
		http, _ := addresses(data)
		return http != "" && answers(t.Context(), "http://"+http+"/readyz")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// user is the user ann of a daemon.
type user struct {
	admin  []string // command that administers the daemon's data directory
	key    string
	gitEnv []string
	dir    string
}

// newUser adds ann, with a key.
func newUser(t *testing.T, admin ...string) *user {
	t.Helper()
	u := &user{admin: admin, dir: t.TempDir()}
	var err error
	if u.key, err = programs.MakeKey(t.Context(), u.dir); err != nil {
		t.Fatal(err)
	}
	u.gitEnv = programs.GitEnv(programs.SSHFlags(u.key))
	run := func(input string, args ...string) {
		t.Helper() // the command may run in a container, which has no file of ours
		command(t, "", nil, "sh", append([]string{"-c", `printf %s "$0" | "$@"`, input}, slices.Concat(admin, args)...)...)
	}
	run("password-of-ann", "user", "add", "ann", "--password-stdin")
	run(read(t, u.key+".pub"), "key", "add", "ann", "/dev/stdin")
	return u
}

// token makes one.
func (u *user) token(t *testing.T) string {
	t.Helper()
	return command(t, "", nil, u.admin[0], slices.Concat(u.admin[1:], []string{"token", "create", "ann"})...)
}

// app is a repository of an image that has a step.
func (u *user) app(t *testing.T, name, ssh string, steps ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(u.dir, name)
	command(t, "", nil, "mkdir", dir)
	command(t, "", nil, "cp", "/bin/busybox", dir)
	dockerfile := "FROM scratch\nCOPY busybox /bin/sh\nCOPY Dockerfile /\nRUN echo built > /made\n" + strings.Join(steps, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, git := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "first"}, {"remote", "add", "fandogh", "ssh://git@" + ssh + "/ann/" + name}} {
		command(t, dir, u.gitEnv, "git", git...)
	}
	return dir
}

// push pushes a tag, and wants it to be built.
func (u *user) push(t *testing.T, dir, tag string) {
	t.Helper()
	command(t, dir, u.gitEnv, "git", "tag", tag)
	command(t, dir, u.gitEnv, "git", "push", "-q", "fandogh", tag)
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	testkit.Eventually(t, what, holds)
}
