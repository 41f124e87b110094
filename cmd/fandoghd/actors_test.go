package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// verdict is what an interface tells an actor that asks for something.
type verdict string

const (
	allowed   verdict = "allowed"   // whatever came of it then
	login     verdict = "log in"    // who asks is not known
	hidden    verdict = "hidden"    // it does not exist, for this user
	forbidden verdict = "forbidden" // it exists, and this user may not
)

// env is a daemon with users of every kind and the namespace team.
type env struct {
	t      *testing.T
	daemon *child
	actors map[string]*actor
}

// actor is a client with a name, a token and an SSH key, each of which may be missing.
type actor struct {
	env   *env
	name  string
	token string
	key   ssh.Signer
	conn  *ssh.Client // open, once connected
}

func newEnv(t *testing.T) *env {
	t.Helper()
	toolsOnPath(t)
	s := &env{t: t, daemon: newChild(t.TempDir()), actors: map[string]*actor{}}
	if err := s.daemon.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.daemon.terminate(); err != nil {
			t.Errorf("daemon: %v\n%s", err, s.daemon.logTail())
		}
	})
	for _, name := range []string{"stranger", "reader", "writer", "owner"} {
		s.add(name)
	}
	s.add("boss", "--admin")
	owner := s.actors["owner"]
	owner.must("POST", "namespaces", map[string]any{"name": "team"})
	owner.must("PUT", "namespaces/team/members/reader", map[string]any{"role": "read"})
	owner.must("PUT", "namespaces/team/members/writer", map[string]any{"role": "write"})
	owner.must("POST", "images", map[string]any{"name": "app"})
	return s
}

// add makes a user with token and key.
func (e *env) add(name string, flags ...string) *actor {
	e.t.Helper()
	a := &actor{env: e, name: name, key: newKey(e.t)}
	file := filepath.Join(e.t.TempDir(), "key.pub")
	if err := os.WriteFile(file, ssh.MarshalAuthorizedKey(a.key.PublicKey()), 0o600); err != nil {
		e.t.Fatal(err)
	}
	_, err := e.daemon.admin("password-of-"+name, append([]string{"user", "add", name, "--password-stdin"}, flags...)...)
	if err == nil {
		_, err = e.daemon.admin("", "key", "add", name, file)
	}
	if err == nil {
		a.token, err = e.daemon.admin("", "token", "create", name)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	a.token = strings.TrimSpace(a.token)
	e.actors[name] = a
	return a
}

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// newToken returns a further token of the actor, with its ID.
func (a *actor) newToken(scope string) (secret string, id int64) {
	a.env.t.Helper()
	var made struct {
		ID    int64
		Token string
	}
	if err := json.Unmarshal(a.must("POST", "tokens", map[string]any{"name": "test", "scope": scope}), &made); err != nil {
		a.env.t.Fatal(err)
	}
	return made.Token, made.ID
}

// send asks over HTTP, with a Basic login at the registry and a token elsewhere.
func (a *actor) send(method, path string, body any, headers ...string) (*http.Response, []byte) {
	a.env.t.Helper()
	var text io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			a.env.t.Fatal(err)
		}
		text = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(a.env.t.Context(), method, "http://"+a.env.daemon.addresses.HTTP+path, text)
	if err != nil {
		a.env.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	switch {
	case a.token == "":
	case strings.HasPrefix(path, "/v2/"):
		r.SetBasicAuth(a.name, a.token)
	default:
		r.Header.Set("Authorization", "JWT "+a.token)
		r.Header.Set("ACTIVE-NAMESPACE", "team")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.env.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		a.env.t.Fatal(err)
	}
	return resp, answer
}

func (a *actor) must(method, path string, body any) []byte {
	a.env.t.Helper()
	resp, answer := a.send(method, "/api/"+path, body)
	if resp.StatusCode != http.StatusOK {
		a.env.t.Fatalf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return answer
}

// http returns what an address tells the actor.
func (a *actor) http(method, path string, headers ...string) verdict {
	a.env.t.Helper()
	return a.verdict(method, path, nil, headers...)
}

// post returns what an address tells the actor who sends it something.
func (a *actor) post(path string, body any) verdict {
	a.env.t.Helper()
	return a.verdict(http.MethodPost, path, body)
}

func (a *actor) verdict(method, path string, body any, headers ...string) verdict {
	a.env.t.Helper()
	resp, answer := a.send(method, path, body, headers...)
	hides := strings.Contains(string(answer), "or you have no access to it")
	if method == http.MethodHead { // has no sentence: GET says it
		_, answer := a.send(http.MethodGet, path, nil, headers...)
		hides = strings.Contains(string(answer), "or you have no access to it")
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return login
	case resp.StatusCode == http.StatusForbidden:
		return forbidden
	case resp.StatusCode == http.StatusNotFound && hides:
		return hidden
	case resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests:
		return verdict(fmt.Sprintf("%s: %s", resp.Status, answer))
	}
	return allowed
}

// ssh returns what a command tells the actor, and its output.
func (a *actor) ssh(command string) (verdict, string) {
	a.env.t.Helper()
	if a.conn == nil {
		conn, err := ssh.Dial("tcp", a.env.daemon.addresses.SSH, &ssh.ClientConfig{
			User: "git", Auth: []ssh.AuthMethod{ssh.PublicKeys(a.key)}, Timeout: timeout,
			HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // our own daemon on loopback
		})
		if err != nil {
			return login, err.Error()
		}
		a.env.t.Cleanup(func() { _ = conn.Close() })
		a.conn = conn
	}
	session, err := a.conn.NewSession()
	if err != nil {
		a.env.t.Fatal(err)
	}
	defer session.Close()                     //nolint:errcheck // it ended
	session.Stdin = strings.NewReader("0000") // git's way to want nothing
	out, _ := session.CombinedOutput(command) // the words tell more than the status
	text := string(out)
	switch {
	case strings.Contains(text, "key of this connection has been removed"):
		return login, text
	case strings.Contains(text, "or you have no access to it"):
		return hidden, text
	case strings.Contains(text, "has no permission to"), strings.Contains(text, "is not an admin of"):
		return forbidden, text
	}
	return allowed, text
}
