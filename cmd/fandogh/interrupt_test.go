package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// program is the real program as one user runs it in a directory.
type program struct {
	t   *testing.T
	dir string
	env []string
}

// newProgram makes a user who is logged in, with an image "app" in a directory
// with these files.
func newProgram(t *testing.T, server *testServer, files map[string]string) *program {
	t.Helper()
	p := &program{t: t, dir: plant(t, files), env: os.Environ()}
	for name, value := range userEnv(t.TempDir(), server.url) {
		p.env = append(p.env, name+"="+value)
	}
	if _, err := server.accounts.CreateUser(t.Context(), "ali", "a-long-password", false); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"login", "-u", "ali", "-p", "a-long-password"}, {"image", "init", "-n", "app"}} {
		if out, err := p.command(args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return p
}

func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), "fandogh", args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// interrupt starts the program, sends Ctrl-C once it printed a line that holds
// what is awaited, and returns its exit status and standard error.
func (p *program) interrupt(awaited string, args ...string) (int, string) {
	p.t.Helper()
	cmd := p.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	found := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if !found && strings.Contains(lines.Text(), awaited) {
			found = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !found || !errors.As(err, &exit) {
		p.t.Fatalf("ended with %v before it printed %q\n%s", err, awaited, stderr.String())
	}
	return exit.ExitCode(), stderr.String()
}

func TestInterruptLeavesTheBuildRunning(t *testing.T) {
	server := newTestServer(t)
	p := newProgram(t, server, map[string]string{"Dockerfile": "FROM scratch\nRUN wait\n"})
	code, text := p.interrupt("#2 RUN wait", "image", "publish", "-v", "1.0")
	if code != 130 || !strings.Contains(text, "stopped following; the build continues") ||
		!strings.Contains(text, "fandogh image logs -i app -v 1.0 -f") || !strings.Contains(text, "fandogh image cancel -i app -v 1.0") {
		t.Errorf("exit status %d\n%s", code, text)
	}
	image, err := server.store.Image(t.Context(), catalog.ImageRef{Namespace: "ali", Name: "app"})
	if err != nil {
		t.Fatal(err)
	}
	version, err := server.store.Version(t.Context(), image.ID, "1.0")
	if err != nil || version.State != catalog.Building {
		t.Errorf("the version is %s, %v", version.State, err)
	}
	code, text = p.interrupt("#2 RUN wait", "image", "logs", "-v", "1.0", "-f")
	if code != 130 || !strings.Contains(text, "the build continues") {
		t.Errorf("exit status %d\n%s", code, text)
	}
}
