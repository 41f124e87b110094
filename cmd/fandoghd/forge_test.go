package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// forge stands in for GitHub: git's own HTTP server over $WORK/forge, asked
// with a password when the file password is there, and an API that appends the commit
// statuses it is sent to the file statuses, and shows the repositories that the file repositories has, a line
// each of number and name. While the file down is there it answers no request.
type forge struct {
	dir     string
	mu      sync.Mutex // held while the statuses are written
	backend *cgi.Handler
}

// cmdForge starts a stand-in for GitHub and sets $FORGE and $FORGE_ADDRESS: forge
func cmdForge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: forge")
	}
	path, err := exec.Command("git", "--exec-path").Output()
	ts.Check(err)
	f := &forge{dir: ts.MkAbs("forge")}
	ts.Check(os.MkdirAll(f.dir, 0o755))
	f.backend = &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"), Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + f.dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + f.dir},
	}
	server := httptest.NewServer(f)
	ts.Defer(server.Close)
	ts.Setenv("FORGE", server.URL)
	ts.Setenv("FORGE_ADDRESS", server.Listener.Addr().String())
}

func (f *forge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := os.Stat(filepath.Join(f.dir, "down")); err == nil {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	if path, ok := strings.CutPrefix(r.URL.Path, "/api/v3/"); ok && r.Method == http.MethodGet {
		f.show(w, path)
		return
	}
	if repository, ok := strings.CutPrefix(r.URL.Path, "/api/v3/repos/"); ok {
		f.status(w, r, repository)
		return
	}
	want, err := os.ReadFile(filepath.Join(f.dir, "password"))
	if _, got, _ := r.BasicAuth(); err == nil && got != strings.TrimSpace(string(want)) {
		http.Error(w, "who are you", http.StatusUnauthorized)
		return
	}
	f.backend.ServeHTTP(w, r)
}

// show answers what a repository is, by its name or its number.
func (f *forge) show(w http.ResponseWriter, path string) {
	list, _ := os.ReadFile(filepath.Join(f.dir, "repositories"))
	for line := range strings.Lines(string(list)) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if path == "repos/"+name || path == "repositories/"+id {
			_, _ = fmt.Fprintf(w, `{"id": %s, "full_name": %q}`, id, name)
			return
		}
	}
	http.Error(w, `{"message": "Not Found"}`, http.StatusNotFound)
}

func (f *forge) status(w http.ResponseWriter, r *http.Request, repository string) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		var file *os.File
		if file, err = os.OpenFile(filepath.Join(f.dir, "statuses"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			_, err = fmt.Fprintf(file, "%s %s %s\n", repository, r.Header.Get("Authorization"), bytes.TrimSpace(body))
			_ = file.Close()
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "{}")
}

// cmdDeliver sends the daemon a delivery, signed with $SECRET, and prints the
// answer with its status; the payload is JSON or a file: deliver EVENT ID PAYLOAD
func cmdDeliver(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: deliver EVENT ID PAYLOAD")
	}
	payload := args[2]
	if !strings.HasPrefix(payload, "{") {
		payload = ts.ReadFile(payload)
	}
	mac := hmac.New(sha256.New, []byte(ts.Getenv("SECRET")))
	mac.Write([]byte(payload))
	request, err := http.NewRequest(http.MethodPost, "http://"+ts.Getenv("HTTP")+webhookPath, strings.NewReader(payload))
	ts.Check(err)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-GitHub-Event": args[0], "X-GitHub-Delivery": args[1],
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	ts.Check(response.Body.Close())
	_, err = fmt.Fprintf(ts.Stdout(), "%d %s", response.StatusCode, body)
	ts.Check(err)
	if (response.StatusCode < 300) == neg {
		ts.Fatalf("deliver %s: %d %s", args[0], response.StatusCode, body)
	}
}
