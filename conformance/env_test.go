package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// user owns every repository and every base image.
const user = "conf"

// env is both sides, running.
type env struct {
	dir      string
	tools    string
	daemon   *programs.Fandoghd
	plain    *programs.Buildkitd
	gitEnv   []string
	token    string
	plainEnv []string // with the credential for the daemon's registry
	serial   atomic.Int64

	taken, refused atomic.Int64 // Dockerfiles that were asked for acceptance, by both sides
}

var both struct {
	once sync.Once
	env  *env
	err  error
}

// theEnv starts both sides when the first test asks.
func theEnv(t testing.TB) *env {
	t.Helper()
	both.once.Do(func() { both.env, both.err = startEnv(context.Background()) })
	if both.err != nil {
		t.Fatal(both.err)
	}
	return both.env
}

// dirVariable names the directory of all environments of a run: the fuzzer's workers have one
// each, and may be killed before they can remove theirs.
const dirVariable = "CONFORMANCE_DIR"

func TestMain(m *testing.M) {
	owned := ""
	if os.Getenv(dirVariable) == "" {
		dir, err := os.MkdirTemp("", "fandogh-conformance-")
		if err != nil {
			panic(err)
		}
		owned = dir
		_ = os.Setenv(dirVariable, dir)
	}
	go func() { // an interrupted run leaves nothing behind either
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		<-signals
		interrupted.Store(true)
		end(owned)
		os.Exit(1)
	}()
	code := m.Run()
	if both.env != nil {
		if err := both.env.faults(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	end(owned)
	os.Exit(code)
}

// end stops both sides, which no test starts any more, and removes the directory that
// this process made for them.
func end(owned string) {
	both.once.Do(func() {})
	if both.env != nil {
		both.env.stop()
	}
	if owned == "" {
		return
	}
	var err error
	for range 100 { // daemons of killed workers end by themselves
		if err = os.RemoveAll(owned); err == nil {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, err)
}

func startEnv(ctx context.Context) (w *env, err error) {
	w = &env{tools: os.Getenv("FANDOGH_TEST_TOOLS")}
	if w.tools == "" {
		w.tools, _ = filepath.Abs("../bin")
	}
	if w.dir, err = os.MkdirTemp(os.Getenv(dirVariable), "env-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.stop()
		}
	}()
	for _, step := range []func(context.Context) error{w.startDaemon, w.addUser, w.startPlain, w.pushBases} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (e *env) stop() {
	for _, engine := range engines {
		engine.process.Stop()
	}
	if e.plain != nil {
		e.plain.Stop()
	}
	if e.daemon != nil && e.daemon.Process != nil {
		e.daemon.Stop()
	}
	if err := os.RemoveAll(e.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// subdir makes a new directory with a name of its own.
func (e *env) subdir(name string) (string, error) {
	dir := filepath.Join(e.dir, fmt.Sprintf("%s-%d", name, e.serial.Add(1)))
	return dir, os.Mkdir(dir, 0o755)
}

func (e *env) tool(name string) string { return filepath.Join(e.tools, name) }

func (e *env) startDaemon(ctx context.Context) error {
	binary := os.Getenv("CONFORMANCE_FANDOGHD")
	if binary == "" {
		binary = filepath.Join(e.dir, "fandoghd")
		if _, err := programs.Command(ctx, "..", nil, "go", "build", "-o", binary, "./cmd/fandoghd"); err != nil {
			return err
		}
	}
	e.daemon = &programs.Fandoghd{Binary: binary, Data: filepath.Join(e.dir, "data")}
	return e.daemon.Run(ctx, "/readyz", []string{"FANDOGH_BUILDER_MANAGED_BUILDKITD=" + e.tool("buildkitd"), "FANDOGH_BUILDER_PARALLEL=4", "FANDOGH_LOG_LEVEL=debug"})
}

func (e *env) addUser(ctx context.Context) error {
	key, err := programs.MakeKey(ctx, e.dir)
	if err != nil {
		return err
	}
	e.gitEnv = append(programs.GitEnv(programs.SSHFlags(key)), "GIT_AUTHOR_DATE="+commitDate, "GIT_COMMITTER_DATE="+commitDate)
	if err := e.daemon.AddUser(ctx, user, key+".pub"); err != nil {
		return err
	}
	e.token, err = e.daemon.Admin(ctx, "", "token", "create", user)
	return err
}

// startPlain runs the other side, which reads base images from the daemon's registry.
func (e *env) startPlain(ctx context.Context) error {
	dir, err := e.subdir("plain")
	if err != nil {
		return err
	}
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + e.token))
	config, err := json.Marshal(map[string]any{"auths": map[string]any{e.daemon.HTTP: map[string]string{"auth": auth}}})
	if err != nil {
		return err
	}
	e.plainEnv = []string{"DOCKER_CONFIG=" + dir}
	err = os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600)
	if err != nil {
		return err
	}
	more := fmt.Sprintf("[worker.oci]\nnetworkMode = \"host\"\n[registry.%q]\nhttp = true\n", e.daemon.HTTP)
	e.plain, err = programs.StartBuildkitd(ctx, e.tool("buildkitd"), e.tool("buildctl"), dir, more)
	return err
}

func (e *env) auth() authn.Authenticator {
	return authn.FromConfig(authn.AuthConfig{Username: user, Password: e.token})
}

// reference is the name of an image of the user's, for both sides.
func (e *env) reference(image, tag string) string {
	return e.daemon.HTTP + "/" + user + "/" + image + ":" + tag
}

// faults tells of what must never stand in a daemon's log.
func (e *env) faults() error {
	text, err := os.ReadFile(e.daemon.Log)
	if err != nil {
		return err
	}
	for _, sign := range []string{"panic: ", "a session crashed"} {
		if _, rest, found := strings.Cut(string(text), sign); found {
			return errors.New("the daemon's log holds " + sign + rest[:min(4000, len(rest))])
		}
	}
	return nil
}
