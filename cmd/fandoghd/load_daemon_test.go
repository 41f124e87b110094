//go:build torture || soak

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func (t *load) start() {
	t.Helper()
	if err := t.daemon.start(); err != nil {
		t.Fatalf("start: %v", err)
	}
	use(t.env, t.daemon)
}

// become makes the user that all clients are, with a webhook for whatever happens, and an administrator.
func (t *load) become() {
	if err := os.WriteFile(filepath.Join(t.dir, ".gitconfig"), []byte(gitConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := become(t.env, t.daemon, "tor"); err != nil {
		t.Fatal(err)
	}
	_, err := t.daemon.admin("password-of-boss", "user", "add", "boss", "--password-stdin", "--admin")
	if err == nil {
		t.adminToken, err = t.daemon.admin("", "token", "create", "boss")
		t.adminToken = strings.TrimSpace(t.adminToken)
	}
	if err == nil {
		_, err = t.ask("POST", "namespaces/tor/webhooks", map[string]string{"url": t.receiver.URL, "secret": webhookSecret}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a client's program, in its own time: it may go on when the round is over.
func (t *load) run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.ctx, 3*timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = t.env.list()
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return string(out), err
}

func (t *load) must(name string, args ...string) string {
	t.Helper()
	out, err := t.run(name, args...)
	if err != nil && t.ctx.Err() == nil {
		t.Error(err)
	}
	return out
}

// ask sends a request to the REST API and decodes what a 200 says. The status is 0 when there was no answer; any
// but 200 is an error, too.
func (t *load) ask(method, path string, body, into any) (status int, err error) {
	var text io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		text = bytes.NewReader(data)
	}
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+t.env["HTTP"]+"/api/"+path, text)
	if err != nil {
		return 0, err
	}
	r.Close = true // no connection is left over to a daemon that is gone, or counted by one that is here
	r.Header.Set("Authorization", "JWT "+t.env["TOKEN"])
	r.Header.Set("Active-Namespace", "tor")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/vnd.fandogh+json") // statuses of their own
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close() //nolint:errcheck // read only
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK {
		return response.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	if into != nil {
		err = json.Unmarshal(answer, into)
	}
	return response.StatusCode, err
}

// get is ask, where no answer is a fault.
func (t *load) get(path string, into any) bool {
	t.Helper()
	_, err := t.ask("GET", path, nil, into)
	if err != nil && t.ctx.Err() == nil {
		t.Error(err)
	}
	return err == nil
}

// stop stops the daemon.
func (t *load) stop() {
	if err := t.daemon.terminate(); err != nil {
		if t.ctx.Err() == nil { // an interrupt reaches the daemon, too
			t.Errorf("stop: %v", err)
		}
		_ = t.daemon.kill()
	}
	if out, err := exec.Command("pgrep", "-af", t.daemon.data).CombinedOutput(); err == nil {
		t.Errorf("processes left:\n%s", out)
	}
}

// checkLeft looks for what the daemon may have left on the machine.
func (t *load) checkLeft() {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), t.daemon.data) {
		t.Errorf("mounts left: %v\n%s", err, mounts)
	}
	if now := linkNames(t); now != t.links {
		t.Logf("network interfaces were %s, are %s; others may run here too", t.links, now)
	}
}
