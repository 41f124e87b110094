package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// The scripts drive the real program: fandoghd is this test binary run as the
// daemon, git, ssh, skopeo and crane are the stock ones, and BuildKit builds.
//
// Most scripts share one daemon. Each gets a user of its own, $USER, with a key
// that git uses and a token in $TOKEN, so that scripts never meet. $HTTP, $SSH and $GIT
// are the daemon's addresses and the base of its git URLs. A script that stops or
// kills a daemon starts its own with `daemon start`.

func TestMain(m *testing.M) {
	becomeChild()
	testscript.Main(m, map[string]func(){"fandoghd": main})
}

// timeout bounds every wait in the scripts. It only has to be longer than a
// loaded machine takes.
const timeout = 5 * time.Minute

func TestScripts(t *testing.T) {
	toolsOnPath(t)
	fandoghOnPath(t)
	shared := newChild(t.TempDir())
	if err := shared.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(shared.terminate(), shared.faults()); err != nil {
			t.Errorf("shared daemon: %v\n%s", err, shared.logTail())
		}
	})
	t.Run("script", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata/script",
			RequireExplicitExec: true,
			RequireUniqueNames:  true,
			Setup: func(env *testscript.Env) error {
				s := &session{daemons: map[string]*child{"shared": shared}, work: env.WorkDir}
				env.Values[sessionKey{}] = s
				env.Defer(func() {
					if err := s.stopOwn(); err != nil {
						env.T().Fatal(err)
					}
				})
				for name, value := range map[string]string{
					"HOME": env.WorkDir, "GIT_CONFIG_GLOBAL": env.WorkDir + "/.gitconfig", "GIT_CONFIG_NOSYSTEM": "1",
					"GIT_TERMINAL_PROMPT": "0", "DOCKER_CONFIG": env.WorkDir + "/.docker", "SHARED_DATA": shared.data,
				} {
					env.Setenv(name, value)
				}
				if err := os.WriteFile(env.WorkDir+"/.gitconfig", []byte(gitConfig), 0o600); err != nil {
					return err
				}
				use(env, shared)
				user := "u" + strings.ToLower(filepath.Base(env.WorkDir)[len("script-"):])
				return become(env, shared, strings.NewReplacer("_", "-", ".", "-").Replace(user))
			},
			Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
				"daemon":     cmdDaemon,
				"user":       cmdUser,
				"app":        cmdApp,
				"eventually": cmdEventually,
				"exits":      testkit.Exits,
				"zip":        cmdZip,
				"steps":      cmdSteps,
				"busybox":    cmdBusybox,
				"forge":      cmdForge,
				"elsewhere":  cmdElsewhere,
				"deliver":    cmdDeliver,
				"odd-names":  cmdOddNames,
				"same-files": cmdSameFiles,
				"small-disk": cmdSmallDisk,
			},
		})
	})
}

const gitConfig = `[user]
	name = Test
	email = test@localhost
[init]
	defaultBranch = main
[advice]
	detachedHead = false
`

// toolsOnPath puts the directory with buildkitd and crane on PATH.
func toolsOnPath(t *testing.T) {
	t.Helper()
	dir := os.Getenv("FANDOGH_TEST_TOOLS")
	if dir == "" {
		dir, _ = filepath.Abs("../../bin")
	}
	// Behind this binary as the daemon, which dir may have an older build of.
	own, others, _ := strings.Cut(os.Getenv("PATH"), string(os.PathListSeparator))
	t.Setenv("PATH", strings.Join([]string{own, dir, others}, string(os.PathListSeparator)))
	for _, tool := range []string{"buildkitd", "crane", "skopeo", "runc", "iptables", "nft", "git", "ssh", "busybox", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v; `make test` installs what the tests need", err)
		}
	}
}

// session is one script's view: its daemons by name, and which one it talks to.
type session struct {
	daemons map[string]*child
	work    string
}

type sessionKey struct{}

func sessionOf(ts *testscript.TestScript) *session { return ts.Value(sessionKey{}).(*session) }

// stopOwn ends the script's own daemons in order, so that nothing of theirs
// stays on the machine.
func (s *session) stopOwn() error {
	var faults error
	for name, d := range s.daemons {
		if name == "shared" {
			continue
		}
		if d.terminate() != nil { // the script may have ended it already
			_ = d.kill()
		}
		faults = errors.Join(faults, d.faults())
	}
	return faults
}

// setter is what Env and TestScript have in common.
type setter interface {
	Setenv(name, value string)
	Getenv(name string) string
}

// use points the script's environment at a daemon.
func use(env setter, d *child) {
	env.Setenv("HTTP", d.addresses.HTTP)
	env.Setenv("SSH", d.addresses.SSH)
	env.Setenv("GIT", "ssh://git@"+d.addresses.SSH)
	env.Setenv("DATA", d.data)
}

// become creates a user with key and token on a daemon and makes git use it.
func become(env setter, d *child, name string) error {
	dir := env.Getenv("HOME")
	key := filepath.Join(dir, ".ssh", name)
	if _, err := os.Stat(key); err != nil {
		if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
			return err
		}
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key).CombinedOutput(); err != nil {
			return fmt.Errorf("ssh-keygen: %w: %s", err, out)
		}
	}
	if _, err := d.admin("password-of-"+name, "user", "add", name, "--password-stdin"); err != nil && !strings.Contains(err.Error(), "exists") {
		return err
	}
	if _, err := d.admin("", "key", "add", name, key+".pub"); err != nil && !strings.Contains(err.Error(), "already") {
		return err
	}
	token, err := d.admin("", "token", "create", name)
	if err != nil {
		return err
	}
	ssh := fmt.Sprintf("ssh -F /dev/null -i %s -o IdentitiesOnly=yes -o BatchMode=yes -o LogLevel=ERROR -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=%s", key, filepath.Join(dir, ".ssh", "known_hosts"))
	env.Setenv("GIT_SSH_COMMAND", ssh)
	_, port, _ := strings.Cut(d.addresses.SSH, ":")
	if err := os.WriteFile(filepath.Join(dir, "fssh"), []byte("#!/bin/sh\nexec "+ssh+" -p "+port+" git@127.0.0.1 \"$@\"\n"), 0o700); err != nil {
		return err
	}
	env.Setenv("FSSH", filepath.Join(dir, "fssh"))
	env.Setenv("USER", name)
	env.Setenv("TOKEN", strings.TrimSpace(token))
	return nil
}

// user NAME: from here on git, $USER and $TOKEN are NAME's, created if need be.
func cmdUser(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: user NAME")
	}
	ts.Check(become(ts, sessionOf(ts).current(ts), args[0]))
}

// app DIR: makes DIR a git repository with a first commit of what is in it, a
// static busybox and the remote "fandogh" for an image of DIR's name.
func cmdApp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: app DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	cmdBusybox(ts, false, args)
	for _, git := range [][]string{
		{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", "first"},
		{"remote", "add", "fandogh", ts.Getenv("GIT") + "/" + ts.Getenv("USER") + "/" + filepath.Base(dir)},
	} {
		ts.Check(ts.Exec("git", append([]string{"-C", dir}, git...)...))
	}
}

// eventually COMMAND…: runs the command until it succeeds (or, negated, fails).
func cmdEventually(ts *testscript.TestScript, neg bool, args []string) {
	deadline := time.Now().Add(timeout)
	for {
		err := ts.Exec(args[0], args[1:]...)
		if (err == nil) != neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("gave up waiting for %v: %v", args, err)
		}
		<-time.After(50 * time.Millisecond) // between two looks
	}
}

// daemon start NAME | use NAME | reload NAME | stop NAME | kill NAME | kill-buildkitd NAME: a daemon
// with a data directory of its own under $WORK; start again continues on it, and reload sends SIGHUP.
func cmdDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: daemon start|use|reload|stop|kill|kill-buildkitd NAME [FLAG…]")
	}
	s, name := sessionOf(ts), args[1]
	d := s.daemons[name]
	if d == nil {
		if args[0] != "start" {
			ts.Fatalf("no daemon %s", name)
		}
		d = newChild(filepath.Join(s.work, name))
		s.daemons[name] = d
	}
	switch args[0] {
	case "start":
		d.flags, d.env = args[2:], settings(ts)
		if err := d.start(); err != nil {
			ts.Fatalf("daemon %s: %v\n%s", name, err, d.logTail())
		}
		use(ts, d)
	case "use":
		use(ts, d)
	case "reload":
		ts.Check(d.cmd.Process.Signal(syscall.SIGHUP))
	case "stop":
		ts.Check(d.terminate())
	case "kill":
		ts.Check(d.kill())
	case "kill-buildkitd":
		ts.Check(d.killBuildkitd())
	default:
		ts.Fatalf("unknown: daemon %s", args[0])
	}
	if ts.Getenv("DATA") == d.data {
		ts.Logf("daemon %s log:\n%s", name, d.logTail())
	}
}

// small-disk NAME SIZE: the daemon of that name, which is yet to be started, has a disk of its own.
func cmdSmallDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: small-disk NAME SIZE")
	}
	dir := filepath.Join(sessionOf(ts).work, args[0], "data")
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+args[1]))
	ts.Defer(func() { ts.Check(unix.Unmount(dir, unix.MNT_DETACH)) }) // the daemon ends later
}

// settings returns what the script set of the daemon's environment.
func settings(ts *testscript.TestScript) []string {
	var set []string
	for _, name := range []string{"HTTP_TLS_CERT", "HTTP_TLS_KEY", "HTTP_PUBLIC_URL", "GITHUB_BASE_URL", "BUILDER_MANAGED_BUILDKITD", "BUILDER_NETWORK_ALLOW", "BUILDER_MIRRORS", "BUILDER_PULL_THROUGH_REGISTRIES", "BUILDER_PULL_THROUGH_RECHECK", "REGISTRY_GRACE", "GIT_GC_INTERVAL", "METRICS_ADDR", "RETENTION_INTERVAL", "DISK_MIN_FREE", "DISK_MAX_USED", "WEBHOOKS_ALLOW_PRIVATE"} {
		if value := ts.Getenv(config.EnvPrefix + name); value != "" {
			set = append(set, config.EnvPrefix+name+"="+value)
		}
	}
	return set
}

func (s *session) current(ts *testscript.TestScript) *child {
	for _, d := range s.daemons {
		if d.data == ts.Getenv("DATA") {
			return d
		}
	}
	ts.Fatalf("no current daemon")
	return nil
}

// child is one fandoghd process on one data directory.
type child struct {
	data      string
	flags     []string
	env       []string // settings, of the script's environment
	addresses addresses
	cmd       *exec.Cmd
	exited    chan error
}

func newChild(dir string) *child { return &child{data: filepath.Join(dir, "data")} }

// start runs the daemon and waits until it is ready.
func (c *child) start() error {
	if err := os.MkdirAll(filepath.Dir(c.data), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(c.data+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the child holds its own
	_ = os.Remove(filepath.Join(c.data, addressesFile))
	c.cmd = exec.Command("fandoghd", append([]string{"serve", "--data", c.data, "--http", "127.0.0.1:0", "--ssh", "127.0.0.1:0"}, c.flags...)...)
	c.cmd.Env = append(append(os.Environ(), "FANDOGH_LOG_LEVEL=debug", "FANDOGH_DISK_MAX_USED=100"), c.env...) // the machine's disk may be as full as it likes
	c.cmd.Stderr = log
	if err := c.cmd.Start(); err != nil {
		return err
	}
	c.exited = make(chan error, 1)
	go func() { c.exited <- c.cmd.Wait() }()
	return c.awaitReady()
}

func (c *child) awaitReady() error {
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); {
		select {
		case err := <-c.exited:
			c.exited <- err
			return fmt.Errorf("the daemon ended: %w\n%s", err, c.logTail())
		case <-time.After(20 * time.Millisecond):
		}
		if c.ready() {
			return nil
		}
	}
	return fmt.Errorf("not ready in %s\n%s", timeout, c.logTail())
}

func (c *child) ready() bool {
	text, err := os.ReadFile(filepath.Join(c.data, addressesFile))
	if err != nil || json.Unmarshal(text, &c.addresses) != nil {
		return false
	}
	scheme, _, _ := strings.Cut(c.addresses.PublicURL, ":")
	return exec.Command("curl", "-fsSk", scheme+"://"+c.addresses.HTTP+"/readyz").Run() == nil
}

// admin runs `fandoghd admin` on the data directory and returns its standard output.
func (c *child) admin(stdin string, args ...string) (string, error) {
	cmd := exec.Command("fandoghd", append([]string{"admin", "--data", c.data}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var errText strings.Builder
	cmd.Stderr = &errText
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("admin %v: %w: %s%s", args, err, out, errText.String())
	}
	return string(out), nil
}

// terminate asks the daemon to stop and wants it to end well.
func (c *child) terminate() error {
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return c.await()
}

// kill is kill -9.
func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = c.await() // it ends by the signal
	return nil
}

func (c *child) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	select {
	case err := <-c.exited:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the daemon did not end in %s", timeout)
	}
}

// killBuildkitd kills -9 the buildkitd that runs on the data directory.
func (c *child) killBuildkitd() error {
	out, err := exec.Command("pkill", "-KILL", "-f", "^[^ ]*buildkitd .*"+c.data).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pkill: %w: %s", err, out)
	}
	return nil
}

// faults tells of what must never stand in a daemon's log: with -race the daemon,
// which is the test binary, reports data races there, and libraries may recover
// from a panic.
func (c *child) faults() error {
	text, err := os.ReadFile(c.data + ".log")
	if err != nil {
		return err
	}
	for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "a session crashed"} {
		if _, rest, found := strings.Cut(string(text), sign); found {
			return fmt.Errorf("the log of the daemon on %s holds %s%.4000s", c.data, sign, rest)
		}
	}
	return nil
}

func (c *child) logTail() string {
	text, err := os.ReadFile(c.data + ".log")
	if err != nil {
		return err.Error()
	}
	if len(text) > 8000 {
		text = text[len(text)-8000:]
	}
	return string(text)
}

func TestEveryCommandIsRunByAScript(t *testing.T) {
	root := newRootCommand()
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	root.RemoveCommand(serve) // scripts run it by `daemon`
	testkit.CheckVerbs(t, root, "testdata/script")
}
