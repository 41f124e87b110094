package gitserver

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs/refstest"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// env is a running server with its store, and users who have keys.
type env struct {
	t        *testing.T
	dir      string
	port     string
	store    *sqlite.Store
	repos    *repository.Repositories
	disk     *refstest.FailingDisk // below repos
	receiver *receiver
	server   *Server
	stop     func()
}

// receiver is the seam to the hooks: it notes what it is asked and answers as
// the test says.
type receiver struct {
	mu      sync.Mutex
	pushes  []catalog.Push
	unbuilt map[string]string
	refuse  map[string]error
	pre     func() // what happens meanwhile
	post    func(ctx context.Context, push catalog.Push) catalog.PostReceiveResult
}

func (r *receiver) UnbuiltTags(context.Context, catalog.Image) (map[string]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unbuilt, nil
}

func (r *receiver) PreReceive(_ context.Context, push catalog.Push) map[string]error {
	r.mu.Lock()
	pre, refuse := r.pre, r.refuse
	r.mu.Unlock()
	if pre != nil {
		pre()
	}
	return refuse
}

func (r *receiver) PostReceive(ctx context.Context, push catalog.Push) catalog.PostReceiveResult {
	r.mu.Lock()
	r.pushes = append(r.pushes, push)
	post := r.post
	r.mu.Unlock()
	if post == nil {
		return catalog.PostReceiveResult{}
	}
	return post(ctx, push)
}

func (r *receiver) set(change func(*receiver)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// last returns the updates of the newest push, as "old new" by ref name.
func (r *receiver) last(t *testing.T) catalog.Push {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pushes) == 0 {
		t.Fatal("PostReceive was not called")
	}
	return r.pushes[len(r.pushes)-1]
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pushes)
}

// testWriter logs to the test that runs the server.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func newEnv(t *testing.T, change func(*Config)) *env {
	t.Helper()
	return newEnvOn(t, repository.Stores{}, change)
}

func newEnvOn(t *testing.T, on repository.Stores, change func(*Config)) *env {
	t.Helper()
	h := &env{t: t, dir: t.TempDir(), receiver: &receiver{}, disk: &refstest.FailingDisk{}}
	ctx := context.Background()
	on.Disk = h.disk
	var err error
	if h.store, err = sqlite.Open(ctx, filepath.Join(h.dir, "fandogh.db")); err != nil {
		t.Fatal(err)
	}
	if h.repos, err = repository.OpenOn(on, filepath.Join(h.dir, "repos"), objects.NewBudget(), nil); err != nil {
		t.Fatal(err)
	}
	config := Config{
		Store: h.store, Repositories: h.repos, Receiver: h.receiver, Control: &builds{},
		HostKeyDir: hostKeyDir(t), Address: "git.example.org:2222", Version: "v1.2-test",
		ShutdownGrace: 5 * time.Second,
		MaxPackBytes:  2 << 30, MaxObjectBytes: 512 << 20, MaxObjects: 2_000_000,
		HandshakeTimeout: 30 * time.Second, IdleTimeout: 10 * time.Minute, TotalTimeout: 12 * time.Hour,
		MaxConnections: 512, MaxConnectionsPerAddress: 64, MaxPerUser: 64,
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: testWriter{t}}),
	}
	if change != nil {
		change(&config)
	}
	if h.server, err = New(config); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, h.port, _ = net.SplitHostPort(listener.Addr().String())
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(ctx, listener) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		h.stop()
		if err := h.store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	h.addUser("alice")
	return h
}

func (e *env) addUser(name string) catalog.User {
	e.t.Helper()
	ctx := context.Background()
	user, err := e.store.CreateUser(ctx, catalog.NewUser{Name: name})
	if err != nil {
		e.t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		e.t.Fatal(err)
	}
	block, err := gossh.MarshalPrivateKey(private, "")
	if err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(e.key(name), pem.EncodeToMemory(block), 0o600); err != nil {
		e.t.Fatal(err)
	}
	key, err := gossh.NewPublicKey(public)
	if err != nil {
		e.t.Fatal(err)
	}
	_, err = e.store.CreateKey(ctx, catalog.NewKey{
		UserID: user.ID, Name: name, Fingerprint: gossh.FingerprintSHA256(key),
		PublicKey: strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key))),
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return user
}

// disable takes a user's account out of use.
func (e *env) disable(u catalog.User) {
	e.t.Helper()
	yes := true
	if _, err := e.store.UpdateUser(e.t.Context(), u.ID, catalog.UserUpdate{Disabled: &yes}); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) key(user string) string { return filepath.Join(e.dir, user+".key") }

func (e *env) sshArgs(user string) []string {
	return []string{"-F", "/dev/null", "-p", e.port, "-i", e.key(user), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"}
}

// ssh runs a command as a user and returns what it printed and its status.
func (e *env) ssh(user string, command ...string) (string, int) {
	e.t.Helper()
	args := append(e.sshArgs(user), "git@127.0.0.1")
	cmd := exec.Command("ssh", append(args, command...)...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		e.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// clone is a user's work tree with a remote "origin" at the host.
type clone struct {
	env  *env
	dir  string
	user string
	ssh  string // in place of the stock client; "": that
}

func (e *env) url(path string) string { return "ssh://git@127.0.0.1:" + e.port + "/" + path }

// newClone is an empty repository whose remote is path.
func (e *env) newClone(user, path string) *clone {
	e.t.Helper()
	c := &clone{env: e, dir: e.t.TempDir(), user: user}
	c.git("init", "-q", "-b", "main")
	c.git("remote", "add", "origin", e.url(path))
	return c
}

func (c *clone) command(args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(),
		"HOME="+c.env.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C",
		"GIT_SSH_COMMAND="+cmp.Or(c.ssh, "ssh")+" "+strings.Join(c.env.sshArgs(c.user), " "),
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org",
	)
	return cmd
}

func (c *clone) try(args ...string) (string, error) {
	out, err := c.command(args...).CombinedOutput()
	return string(out), err
}

// gitWith is git with a standard input.
func (c *clone) gitWith(stdin string, args ...string) string {
	c.env.t.Helper()
	cmd := c.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		c.env.t.Fatalf("git %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

func (c *clone) git(args ...string) string {
	c.env.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.env.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// fails runs git, which must fail and say all of want.
func (c *clone) fails(args []string, want ...string) string {
	c.env.t.Helper()
	out, err := c.try(args...)
	if err == nil {
		c.env.t.Fatalf("git %s succeeded\n%s", strings.Join(args, " "), out)
	}
	for _, w := range want {
		if !strings.Contains(strings.ReplaceAll(out, "\u00a0", " "), w) { // as it is shown
			c.env.t.Errorf("git %s does not say %q:\n%s", strings.Join(args, " "), w, out)
		}
	}
	return out
}

func (c *clone) write(name, content string) {
	c.env.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.env.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		c.env.t.Fatal(err)
	}
}

// commit writes one file, commits it and returns the commit.
func (c *clone) commit(name, content string) string {
	c.env.t.Helper()
	c.write(name, content)
	c.git("add", "-A")
	c.git("commit", "-q", "-m", "change "+name)
	return c.git("rev-parse", "HEAD")
}

// stock is git itself on a repository of the server. It is for when no session is left.
func (e *env) stock(path string, args ...string) *exec.Cmd {
	e.t.Helper()
	e.maintained()
	return exec.Command("git", append([]string{"-C", e.repoDir(path)}, args...)...)
}

// maintained waits for the sessions and for what they began that outlives them: git does not expect
// packs to go while it reads them.
func (e *env) maintained() {
	e.t.Helper()
	if !waitFor(&e.server.sessions, time.Minute) {
		e.t.Fatal("timed out: sessions and maintenance end")
	}
}

// serverRefs lists the refs of alice/app on the server, hidden ones too.
func (e *env) serverRefs() string {
	e.t.Helper()
	out, err := e.stock("alice/app", "for-each-ref", "--format=%(objectname) %(refname)").CombinedOutput()
	if err != nil {
		e.t.Fatalf("for-each-ref: %v\n%s", err, out)
	}
	return string(out)
}

func (e *env) repoDir(path string) string { return filepath.Join(e.dir, "repos", path+".git") }

// fsck has git itself check alice/app on the server.
func (e *env) fsck() {
	e.t.Helper()
	out, err := e.stock("alice/app", "fsck", "--full", "--strict").CombinedOutput()
	if err != nil {
		e.t.Errorf("git fsck: %v\n%s", err, out)
	}
}

const maxPushOptions = 1000 // that package protocol takes in a push

func lines(n int, text string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s %d\n", text, i)
	}
	return b.String()
}
