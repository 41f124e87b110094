package gitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// openSession opens one without a command.
func openSession(t *testing.T, client *gossh.Client) (gossh.Channel, <-chan *gossh.Request, error) {
	t.Helper()
	channel, requests, err := client.OpenChannel("session", nil)
	if err == nil {
		t.Cleanup(func() { _ = channel.Close() })
	}
	return channel, requests, err
}

// run returns what a command prints on both streams.
func run(t *testing.T, client *gossh.Client, command string) (string, error) {
	t.Helper()
	s, err := client.NewSession()
	if err != nil {
		return "", err
	}
	out, err := s.CombinedOutput(command)
	return string(out), err
}

// isRefused reports whether a session was refused for want of places, and says so.
func isRefused(err error, sentence string) bool {
	var refused *gossh.OpenChannelError
	return errors.As(err, &refused) && refused.Reason == gossh.ResourceShortage && strings.Contains(refused.Message, sentence)
}

func TestSessionsOfAConnectionAreCapped(t *testing.T) {
	h := newEnv(t, nil)
	client := h.dial("alice")
	var first gossh.Channel
	for i := range maxSessions {
		channel, requests, err := openSession(t, client)
		if err != nil {
			t.Fatalf("session %d: %v", i, err)
		}
		go gossh.DiscardRequests(requests)
		first = channel
	}
	if _, _, err := openSession(t, client); !isRefused(err, "open another connection") {
		t.Fatalf("one session more: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "a place", func() bool { _, err := run(t, client, "images"); return err == nil })
	if out, err := run(t, h.dial("alice"), "images"); err != nil {
		t.Errorf("another connection: %v %s", err, out)
	}
}

func TestSessionsOfAUserAreCapped(t *testing.T) {
	h := newEnv(t, func(c *Config) { c.MaxPerUser = 3 })
	h.addUser("bob")
	one, two := h.dial("alice"), h.dial("alice")
	for _, client := range []*gossh.Client{one, one, two} {
		if _, _, err := openSession(t, client); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := openSession(t, two); !isRefused(err, "limit of sessions per user") {
		t.Errorf("a fourth session: %v", err)
	}
	if out, err := run(t, h.dial("bob"), "images"); err != nil {
		t.Errorf("another user: %v %s", err, out)
	}
	h.dial("alice")
	if out, err := h.talk("alice", "git@127.0.0.1", "images"); err == nil || !strings.Contains(out, "alice already has 3 open connections") {
		t.Errorf("a fourth connection: %v %s", err, out)
	}
}

// A session that never says what it wants ends, alone.
func TestSessionWithoutACommandEnds(t *testing.T) {
	h := newEnv(t, func(c *Config) { c.HandshakeTimeout = time.Second })
	client := h.dial("alice")
	_, requests, err := openSession(t, client)
	if err != nil {
		t.Fatal(err)
	}
	for range requests { // they end with the session
	}
	if out, err := run(t, client, "images"); err != nil {
		t.Errorf("the connection ended, too: %v %s", err, out)
	}
}

// What a client sends before its command neither blocks nor fills anything.
func TestRequestsBeforeTheCommand(t *testing.T) {
	h := newEnv(t, nil)
	client := h.dial("alice")
	channel, requests, err := openSession(t, client)
	if err != nil {
		t.Fatal(err)
	}
	type variable struct{ Name, Value string }
	size := struct{ Columns, Rows, Width, Height uint32 }{81, 24, 640, 480}
	for _, r := range []struct {
		name    string
		payload any
		want    bool
		times   int
	}{
		{"pty-req", struct {
			Term                         string
			Columns, Rows, Width, Height uint32
			Modes                        string
		}{"xterm", 80, 24, 640, 480, "\x00"}, true, 1},
		{"window-change", size, false, 100},
		{"signal", struct{ Name string }{"INT"}, false, 100},
		{"auth-agent-req@openssh.com", struct{ Flag bool }{}, false, 1},
		{"x11-req", struct{ Flag bool }{}, false, 1},
		{"env", variable{"LANG", strings.Repeat("v", 200<<10)}, false, 100},
		{"env", variable{"LANG", strings.Repeat("v", 65)}, false, 1},
		{"env", variable{"LANG", "C.UTF-8"}, true, 2},
		{"env", variable{"LC_ALL", strings.Repeat("v", 64)}, true, 2},
		{"env", variable{"LC_MESSAGES", ""}, true, 2},
		{"env", variable{"LC_CTYPE", "fa_IR.UTF-8"}, false, 1},
		{"env", variable{"LANGUAGE", "fa"}, false, 1},
		{"env", variable{"PATH", "/tmp"}, false, 1},
		{"env", variable{"GIT_PROTOCOL", strings.Repeat("v", 1000)}, false, 1},
		{"env", variable{"GIT_PROTOCOL", "version=2"}, true, 2},
		{"env", struct{ Broken uint16 }{}, false, 1},
		{"exec", struct{ Broken uint16 }{}, false, 1},
		{"no such request", struct{ Flag bool }{}, false, 1},
		{"exec", struct{ Command string }{"images"}, true, 1},
	} {
		for range r.times {
			if got, err := channel.SendRequest(r.name, true, gossh.Marshal(r.payload)); got != r.want || err != nil {
				t.Fatalf("%s is answered by %v, %v", r.name, got, err)
			}
		}
	}
	go gossh.DiscardRequests(requests)
	if out, err := io.ReadAll(channel); err != nil || !strings.Contains(string(out), "No images yet; the first git push creates one.\r\n") {
		t.Errorf("%q, %v", out, err)
	}
	_ = client.Close()
	testkit.Eventually(t, "the end of the connection", func() bool {
		h.server.open.mu.Lock()
		defer h.server.open.mu.Unlock()
		return len(h.server.open.all) == 0
	})
}

func TestGitProtocolReachesTheSession(t *testing.T) {
	for protocol, want := range map[string]int{"": 0, "version=2": 1} {
		s := &session{protocol: protocol}
		if got := s.Environ(); len(got) != want || want == 1 && got[0] != "GIT_PROTOCOL="+protocol {
			t.Errorf("%q: %q", protocol, got)
		}
	}
}

func TestLongCommands(t *testing.T) {
	h := newEnv(t, nil)
	client := h.dial("alice")
	for command, want := range map[string]string{
		strings.Repeat("x", 200<<10):         "longer than 8192 bytes",
		"versions " + strings.Repeat("'", 7): "unbalanced quotes",
		strings.Repeat("'' ", 2000):          `unknown command ""`,
		"versions \x00\x1b[2J":               "control character",
	} {
		out, err := run(t, client, command)
		var exit *gossh.ExitError
		if !errors.As(err, &exit) || !strings.Contains(out, want) {
			t.Errorf("%.20q: %v, %.100q", command, err, out)
		}
	}
}

// What is not here is refused by a sentence, and never waited for.
func TestWhatIsNotServed(t *testing.T) {
	h := newEnv(t, nil)
	for _, c := range []struct {
		what string
		args []string
		says string
	}{
		{"sftp", []string{"-s", "git@127.0.0.1", "sftp"}, "subsystem sftp is not supported; send files with git push"},
		{"port forwarding by -W", []string{"-W", "127.0.0.1:1", "git@127.0.0.1"}, "forwarding is not supported"},
		{"remote forwarding", []string{"-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:0:127.0.0.1:1", "git@127.0.0.1", "images"}, "forwarding failed"},
		{"scp, old", []string{"git@127.0.0.1", "scp -t /tmp"}, `unknown command "scp"`},
		{"archive", []string{"git@127.0.0.1", "git-upload-archive 'app'"}, "clone with --depth 1"},
	} {
		out, err := h.talk("alice", c.args...)
		if err == nil || !strings.Contains(out, c.says) {
			t.Errorf("%s: %v\n%s", c.what, err, out)
		}
	}
	// Agent and X11 forwarding are not offered; the command runs without.
	if out, err := h.talk("alice", "-A", "-X", "git@127.0.0.1", "images"); err != nil || !strings.Contains(out, "No images yet") {
		t.Errorf("with agent forwarding: %v\n%s", err, out)
	}
	if _, err := h.dial("alice").Dial("tcp", "127.0.0.1:"+h.port); err == nil || !strings.Contains(err.Error(), "forwarding is not supported") {
		t.Errorf("a forwarded connection: %v", err)
	}
}

// held is a host with a build whose log is followed until hold is closed.
func held(t *testing.T, change func(*Config)) (h *env, hold chan struct{}) {
	b := &builds{lines: []catalog.LogLine{{Text: "one"}}, hold: make(chan struct{}), ended: catalog.Build{State: catalog.Built}}
	h = newEnv(t, func(c *Config) {
		c.Logs = b
		change(c)
	})
	image, err := h.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "alice", Name: "app"}, OwnerID: 1})
	if err == nil {
		_, err = h.store.QueueBuilds(t.Context(), []catalog.NewBuild{{ImageID: image.ID, Version: "v1", Trigger: catalog.TriggerPush, Commit: strings.Repeat("ab", 20), UserID: 1}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return h, b.hold
}

// follow starts logs -f and returns when it has printed something.
func follow(t *testing.T, client *gossh.Client) *gossh.Session {
	t.Helper()
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("logs -f app v1"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("one\n"))); err != nil {
		t.Fatal(err)
	}
	return s
}

// Who says nothing though it is his turn loses the session, and no other does.
func TestIdleSessionEndsAlone(t *testing.T) {
	for _, command := range []string{"git-receive-pack app", "git-upload-pack app"} {
		h, hold := held(t, func(c *Config) { c.IdleTimeout, c.KeepAlive = time.Second, 50*time.Millisecond })
		c := h.newClone("alice", "app")
		c.commit("a", "1")
		c.git("push", "-q", "origin", "main")
		client := h.dial("alice")
		following := follow(t, client)
		idle, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := idle.StdinPipe(); err != nil { // stays open
			t.Fatal(err)
		}
		if err := idle.Run(command); err == nil {
			t.Errorf("%s ends well", command)
		}
		close(hold)
		if err := following.Wait(); err != nil {
			t.Errorf("%s: the other session: %v", command, err)
		}
	}
}

// connects notes which secrets a command was given.
type connects struct {
	catalog.GitHubControl
	secrets atomic.Int32
}

func (c *connects) Connect(context.Context, catalog.Image, int64, catalog.GitHubSettings) (catalog.GitHubStatus, error) {
	c.secrets.Add(1)
	return catalog.GitHubStatus{}, nil
}

// A secret of which only a part came is none.
func TestIdleSecretIsNotTaken(t *testing.T) {
	github := &connects{}
	h, _ := held(t, func(c *Config) { c.IdleTimeout, c.GitHub = 200*time.Millisecond, github })
	s, err := h.dial("alice").NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.StdinPipe() // stays open
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "half of a tok"); err != nil {
		t.Fatal(err)
	}
	if err := s.Run("github-connect app acme/shop token=-"); err == nil {
		t.Error("it ends well")
	}
	h.stop()
	if n := github.secrets.Load(); n != 0 {
		t.Errorf("%d secrets were taken", n)
	}
}

// asked reports the first look for an image, which follows the question who may.
type asked struct {
	catalog.Store
	once sync.Once
	may  chan struct{}
}

func (a *asked) Image(ctx context.Context, ref catalog.ImageRef) (catalog.Image, error) {
	a.once.Do(func() { close(a.may) })
	return a.Store.Image(ctx, ref)
}

// A secret is taken from who may give it when it has come, however long ago the command began.
func TestSecretOfARevokedUserIsNotTaken(t *testing.T) {
	github := &connects{}
	store := &asked{may: make(chan struct{})}
	h, _ := held(t, func(c *Config) {
		store.Store = c.Store
		c.Store, c.GitHub = store, github
	})
	bob := h.addUser("bob")
	if err := h.store.SetMember(t.Context(), "alice", bob.ID, catalog.RoleAdmin); err != nil {
		t.Fatal(err)
	}
	s, err := h.dial("bob").NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("github-connect alice/app acme/shop token=-"); err != nil {
		t.Fatal(err)
	}
	<-store.may
	if err := h.store.SetMember(t.Context(), "alice", bob.ID, catalog.RoleRead); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "a token"); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err == nil {
		t.Error("it ends well")
	}
	if n := github.secrets.Load(); n != 0 {
		t.Errorf("%d secrets were taken", n)
	}
}

// A client that compresses sends nothing for long after its commands.
func TestCompressingIsNotIdle(t *testing.T) {
	h := newEnv(t, func(c *Config) { c.IdleTimeout = time.Second })
	c := h.newClone("alice", "app")
	commit := c.commit("a", "1")
	pack := c.command("pack-objects", "--revs", "--stdout", "-q")
	pack.Stdin = strings.NewReader("HEAD\n")
	data, err := pack.Output()
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.dial("alice").NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s.Stdout = &out
	in, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("git-receive-pack app"); err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("0", 40) + " " + commit + " refs/heads/main\x00report-status"
	if _, err := fmt.Fprintf(in, "%04x%s0000", len(line)+4, line); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(2*time.Second, func() { _, _ = in.Write(data) }) // twice the time
	if err := s.Wait(); err != nil || !strings.Contains(out.String(), "ok refs/heads/main") {
		t.Errorf("%v %q", err, out.String())
	}
}

// Who does not read loses the session, and the connection with it if he does not
// agree to that.
func TestUnreadOutputEnds(t *testing.T) {
	b := &builds{lines: []catalog.LogLine{{Text: strings.Repeat("x", 3<<20)}}}
	h, _ := held(t, func(c *Config) { c.IdleTimeout, c.Logs = 300*time.Millisecond, b })
	client := h.dial("alice")
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.StdoutPipe(); err != nil { // is not read
		t.Fatal(err)
	}
	if err := s.Start("logs app v1"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the end of the session", func() bool {
		h.server.perUser.mu.Lock()
		defer h.server.perUser.mu.Unlock()
		return len(h.server.perUser.of) == 0
	})
}

// A connection that is kept open without a session is closed some time.
func TestIdleConnectionEnds(t *testing.T) {
	h := newEnv(t, func(c *Config) { c.IdleTimeout, c.KeepAlive = time.Second, 20*time.Millisecond })
	client := h.dial("alice")
	if out, err := run(t, client, "images"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if err := client.Wait(); err == nil {
		t.Error("no reason")
	}
}

func TestShutdownWaitsForSessionsAlone(t *testing.T) {
	h, hold := held(t, func(c *Config) { c.ShutdownGrace, c.HandshakeTimeout = time.Hour, time.Hour })
	idle, busy := h.dial("alice"), h.dial("alice")
	stranger, err := net.Dial("tcp", "127.0.0.1:"+h.port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Close() }()
	if _, err := io.ReadFull(stranger, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	following := follow(t, busy)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		h.stop()
	}()
	if err := idle.Wait(); err == nil { // though the grace is long
		t.Error("no reason")
	}
	_, _ = io.Copy(io.Discard, stranger) // ends
	if _, _, err := openSession(t, busy); !isRefused(err, "the server is shutting down") {
		t.Errorf("a new session: %v", err)
	}
	select {
	case <-stopped:
		t.Error("a session was not waited for")
	default:
	}
	close(hold)
	if err := following.Wait(); err != nil {
		t.Errorf("the session: %v", err)
	}
	<-stopped
}

// What does not end within the grace is closed.
func TestShutdownEnds(t *testing.T) {
	h, _ := held(t, func(c *Config) { c.ShutdownGrace = 50 * time.Millisecond })
	following := follow(t, h.dial("alice"))
	h.stop()
	if err := following.Wait(); err == nil {
		t.Error("the session ended well")
	}
}
