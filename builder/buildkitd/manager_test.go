//go:build linux

package buildkitd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/vishvananda/netlink"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// managerChildEnv makes this test binary a program that only runs a manager, in
// the directory that it names, so that a test can kill it.
const managerChildEnv = "FANDOGH_TEST_MANAGER_CHILD"

func runManagerChild(dir string) int {
	manager, err := New(Config{
		Dir: dir, Binary: os.Getenv("FANDOGH_TEST_BUILDKITD"), Logger: buildkittest.Logger("child"),
		RegistryHost: os.Getenv("FANDOGH_TEST_REGISTRY"), PlainHTTP: true,
	})
	if err == nil {
		err = manager.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// startSleep begins a build whose step sleeps, and returns when it does. The
// marker is an argument of the sleeping process.
func startSleep(t *testing.T, solver *buildkit.Solver, image string) (marker string, done <-chan error) {
	t.Helper()
	marker = strconv.FormatInt(8_000_000+time.Now().UnixNano()%1_000_000, 10)
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN echo asleep; sleep " + marker + "\n"}).WithBusybox()
	rec := &buildkittest.Recorder{Notify: make(chan string, 1000)}
	result := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		_, err := solver.Solve(ctx, env.Request("ann", image, "1.0", tree), rec.Event)
		result <- err
	}()
	buildkittest.AwaitLine(t, rec, "| asleep")
	testkit.Eventually(t, "the step sleeps", func() bool { return buildkittest.ProcessRuns(marker) })
	return marker, result
}

func TestKilledBuildkitdIsStartedAgainAndLeavesNoProcess(t *testing.T) {
	dir := t.TempDir()
	m := newManager(t, managerConfig(dir, env.Registry))
	stop := buildkittest.RunReady(t, m)
	solver := newSolver(t, solverConfig(m, env.Registry))
	marker, done := startSleep(t, solver, "killed")
	old := buildkittest.DaemonOf(t, dir)
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wantFreeFailure(t, marker, done, "the solve did not notice that buildkitd is gone")
	testkit.Eventually(t, "buildkitd runs again", func() bool { return solver.Ping(t.Context()) == nil })
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN true\n"}).WithBusybox()
	if _, err := solver.Solve(t.Context(), env.Request("ann", "after", "1.0", tree), func(builder.Event) {}); err != nil {
		t.Errorf("the next build: %v", err)
	}

	stop()
	requireNothingLeft(t, m)
}

// requireNothingLeft checks that a stopped manager left the machine as it was.
func requireNothingLeft(t *testing.T, m *Manager) {
	t.Helper()
	if running := buildkittest.Processes(m.configPath()); len(running) > 0 {
		t.Errorf("buildkitd still runs: %v", running)
	}
	if _, err := netlink.LinkByName(m.network.device); err == nil {
		t.Errorf("the device %s is left", m.network.device)
	}
	for _, command := range [][]string{{"iptables-save"}, {"nft", "list", "tables"}, {"ls", "/run/netns"}} {
		out, err := exec.Command(command[0], command[1:]...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), m.id) {
			t.Errorf("left behind, says %s:\n%s", command, out)
		}
	}
	if left := findGroups(cgroupRoot, groupName(m.id)); len(left) > 0 {
		t.Errorf("control groups are left: %v", left)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), m.cfg.Dir) {
		t.Errorf("mounts are left:\n%s", mounts)
	}
}

func TestKilledDaemonTakesBuildkitdAlong(t *testing.T) {
	dir := t.TempDir()
	m, err := New(managerConfig(dir, env.Registry)) // of the same directory, to be run after the kill
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(os.Args[0])
	daemon.Env = append(os.Environ(), managerChildEnv+"="+dir, "FANDOGH_TEST_BUILDKITD="+buildkittest.Tool("buildkitd"),
		"FANDOGH_TEST_REGISTRY="+env.Registry.Host())
	daemon.Stderr = os.Stderr
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer daemon.Wait()         //nolint:errcheck // it was killed
	defer daemon.Process.Kill() //nolint:errcheck // it is dead already when all goes well
	solver := newSolver(t, solverConfig(m, env.Registry))
	testkit.Eventually(t, "buildkitd answers", func() bool { return solver.Ping(t.Context()) == nil })
	marker, _ := startSleep(t, solver, "orphan")
	pid := buildkittest.DaemonOf(t, dir)

	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "buildkitd dies with its parent", func() bool { return syscall.Kill(pid, 0) != nil })
	testkit.Eventually(t, "the step's process ends", func() bool { return !buildkittest.ProcessRuns(marker) })

	other := newManager(t, managerConfig(t.TempDir(), env.Registry))
	buildkittest.RunReady(t, other) // removes what the killed one left, though its directory is another
	requireNothingLeft(t, m)
	stop := buildkittest.RunReady(t, m)
	if err := solver.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	stop()
	requireNothingLeft(t, m)
}

func TestStopEndsWhatStillRuns(t *testing.T) {
	m := newManager(t, managerConfig(t.TempDir(), env.Registry))
	stop := buildkittest.RunReady(t, m)
	solver := newSolver(t, solverConfig(m, env.Registry))
	marker, _ := startSleep(t, solver, "stopped")
	stop()
	if buildkittest.ProcessRuns(marker) {
		t.Error("the step's process runs on")
	}
	requireNothingLeft(t, m)
}

// logged returns a logger and what reads its text.
func logged() (hclog.Logger, func() string) {
	var mu sync.Mutex
	var text bytes.Buffer
	write := writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return text.Write(p)
	})
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: write}), func() string {
		mu.Lock()
		defer mu.Unlock()
		return text.String()
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestBuildkitdThatDoesNotStartIsTriedAgain(t *testing.T) {
	cfg := managerConfig(t.TempDir(), env.Registry)
	program, good := filepath.Join(cfg.Dir, "program"), cfg.Binary
	cfg.Binary = program
	script := func(text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(program+".new", []byte("#!/bin/sh\n"+text+"\n"), 0o755), os.Rename(program+".new", program)); err != nil {
			t.Fatal(err)
		}
	}
	script("echo it hurts here >&2; exit 7")
	var log func() string
	cfg.Logger, log = logged()
	m := newManager(t, cfg)
	m.timing.backoff = 10 * time.Millisecond
	kept := filepath.Join(m.rootDir(), "kept")
	if err := errors.Join(os.Mkdir(m.rootDir(), 0o700), os.WriteFile(kept, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	stop := buildkittest.RunDaemon(t, m)
	testkit.Eventually(t, "an empty cache is tried", func() bool { return strings.Contains(log(), "perhaps because the build cache is damaged") })
	testkit.Eventually(t, "the cache is put back", func() bool { return strings.Contains(log(), "the cache is put back") })
	if text := log(); !strings.Contains(text, "it hurts here") || !strings.Contains(text, "exit status 7") {
		t.Errorf("the log does not say why:\n%s", text)
	}
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "a missing program is said", func() bool { return strings.Contains(log(), "exit status 127") })
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("the cache that was not to blame: %v", err)
	}
	script(`exec ` + good + ` "$@"`)
	testkit.Eventually(t, "buildkitd runs", func() bool { return m.answers(t.Context()) })
	stop()
	requireNothingLeft(t, m)
}

// A buildkitd whose network can't be made is no reason to end either.
func TestManagerWaitsForWhatItNeeds(t *testing.T) {
	cfg := managerConfig(filepath.Join(t.TempDir(), "file"), env.Registry)
	var log func() string
	cfg.Logger, log = logged()
	m := newManager(t, cfg)
	m.timing.backoff = 10 * time.Millisecond
	if err := errors.Join(os.RemoveAll(m.cfg.Dir), os.WriteFile(m.cfg.Dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	buildkittest.RunDaemon(t, m)
	testkit.Eventually(t, "it says what it waits for", func() bool { return strings.Contains(log(), "buildkitd's directory") })
	if err := os.Remove(m.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "buildkitd runs", func() bool { return m.answers(t.Context()) })
}

func TestSilentBuildkitdIsStartedAgain(t *testing.T) {
	cfg := managerConfig(t.TempDir(), env.Registry)
	var log func() string
	cfg.Logger, log = logged()
	m := newManager(t, cfg)
	m.timing = timing{backoff: 10 * time.Millisecond, health: 50 * time.Millisecond, answer: 500 * time.Millisecond, records: time.Hour}
	stop := buildkittest.RunReady(t, m)
	solver := newSolver(t, solverConfig(m, env.Registry))
	marker, done := startSleep(t, solver, "silent")
	if err := syscall.Kill(buildkittest.DaemonOf(t, cfg.Dir), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantFreeFailure(t, marker, done, "the solve still waits for a buildkitd that does not answer")
	testkit.Eventually(t, "buildkitd runs again", func() bool { return m.answers(t.Context()) })
	if text := log(); !strings.Contains(text, "it did not answer 6 times in a row and was killed") {
		t.Errorf("the log does not say why:\n%s", text)
	}
	stop()
	requireNothingLeft(t, m)
}

func TestWhatIsMissingIsNamedAllAtOnce(t *testing.T) {
	_, err := New(Config{Dir: t.TempDir(), Binary: "/nonexistent/buildkitd", CNIBinDir: "/nonexistent"})
	for _, part := range []string{"buildkitd is missing", "install the package containernetworking-plugins"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q: %v", part, err)
		}
	}
}

func TestSocketPathFitsASocket(t *testing.T) {
	if got, want := socketPath("/data/buildkit", "0011aabb"), "/data/buildkit/buildkitd.sock"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := socketPath("/"+strings.Repeat("long/", 30), "0011aabb"), "/run/fandogh/0011aabb.sock"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLongDirectoryWorks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("very-long-name/", 8))
	cfg := managerConfig(dir, env.Registry)
	cfg.KeepBytes, cfg.MaxParallelism = 1<<30, 2
	m := newManager(t, cfg)
	stop := buildkittest.RunReady(t, m)
	second := newManager(t, cfg)
	if err := second.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Errorf("a second manager in one directory: %v", err)
	}
	stop()
	files, err := os.ReadDir(runtimeDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), m.id) {
			t.Errorf("left behind: %s", f.Name())
		}
	}
}

// Where the daemon sends traces is no matter of buildkitd's, which ends at once when it does not know an exporter; nor is the systemd that started
// the daemon, which would be told of another service's state.
func TestWhatIsTheDaemonsIsNotBuildkitds(t *testing.T) {
	for name, value := range map[string]string{"NOTIFY_SOCKET": "/run/systemd/notify", "WATCHDOG_USEC": "180000000", "WATCHDOG_PID": "1", "LISTEN_FDS": "1", "LISTEN_PID": "1"} {
		t.Setenv(name, value)
	}
	t.Setenv("OTEL_TRACES_EXPORTER", "console")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.invalid:4318")
	dir := t.TempDir()
	buildkittest.RunReady(t, newManager(t, managerConfig(dir, env.Registry)))
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", buildkittest.DaemonOf(t, dir)))
	for _, own := range []string{"OTEL_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_"} {
		if err != nil || strings.Contains(string(environ), own) {
			t.Errorf("buildkitd's environment has %s: %v, %q", own, err, environ)
		}
	}
}

func TestSubnets(t *testing.T) {
	first, err := freeSubnet("00000000", nil)
	if err != nil || first != netip.MustParsePrefix("10.64.0.0/24") {
		t.Errorf("got %v, %v", first, err)
	}
	taken := []netip.Prefix{netip.MustParsePrefix("10.64.0.128/25"), netip.MustParsePrefix("10.64.1.1/32")}
	if next, err := freeSubnet("00000000", taken); err != nil || next != netip.MustParsePrefix("10.64.2.0/24") {
		t.Errorf("got %v, %v", next, err)
	}
	if none, err := freeSubnet("00000000", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}); err == nil {
		t.Errorf("got %v where nothing is free", none)
	}
	for _, subnet := range []string{"nonsense", "10.0.0.0/30", "fd00::/64", "127.0.0.0/24"} {
		if _, err := newNetwork("00112233", subnet, reach{}); err == nil {
			t.Errorf("subnet %q was taken", subnet)
		}
	}
}

// wantFreeFailure wants a solve to end by a failure that costs no attempt, and its step to end with it.
func wantFreeFailure(t *testing.T, marker string, done <-chan error, inVain string) {
	t.Helper()
	select {
	case err := <-done:
		var failure *builder.SolveError
		if !errors.As(err, &failure) || failure.Outcome != catalog.OutcomeInfrastructure || failure.Retry != builder.RetryFree {
			t.Errorf("the solve ended with %v, want an infrastructure failure that costs no attempt", err)
		}
	case <-time.After(buildkittest.Timeout):
		t.Fatal(inVain)
	}
	testkit.Eventually(t, "the step's process ends", func() bool { return !buildkittest.ProcessRuns(marker) })
}
