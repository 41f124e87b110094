package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	llbclient "github.com/moby/buildkit/client/llb"
	frontend "github.com/moby/buildkit/frontend/dockerfile/builder"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	pb "github.com/moby/buildkit/frontend/gateway/pb"
	llb "github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"github.com/tonistiigi/fsutil/types"

	"github.com/fandoghpaas/fandogh/internal/confined"
)

const testTimeout = time.Minute

func TestMain(m *testing.M) {
	mainWith(misbehave)
	os.Exit(m.Run())
}

// misbehave is a frontend that does what a test asks of it; without, BuildKit's.
func misbehave(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
	o := c.BuildOpts().Opts
	result := gateway.NewResult()
	switch o["do"] {
	case "panic":
		done := make(chan struct{})
		go func() { panic("as the test wants it") }()
		<-done
	case "panic here":
		panic("as the test wants it")
	case "memory":
		var all [][]byte
		for {
			piece := make([]byte, 1<<20)
			for at := 0; at < len(piece); at += 4096 {
				piece[at] = 1
			}
			all = append(all, piece)
			result.AddMeta(fmt.Sprint(len(all)), piece)
		}
	case "recursion":
		fmt.Fprint(os.Stderr, deeper(0))
	case "time":
		for n := 0; ; n++ {
			result.AddMeta("n", []byte{byte(n)})
		}
	case "exit":
		os.Exit(1)
	case "wait":
		if err := c.Warn(ctx, "", "waiting", gateway.WarnOpts{}); err != nil {
			return nil, err
		}
		select {}
	case "frontend":
		return c.(*asking).Client.Solve(ctx, gateway.SolveRequest{Frontend: gatewayFrontend, FrontendOpt: map[string]string{"source": "somewhere.example/front:1"}})
	case "look":
		result.AddMeta("found", []byte(look(o["address"], o["user"])))
	default:
		return frontend.Build(ctx, c)
	}
	return result, nil
}

func deeper(n int) int {
	if n < 0 {
		return n
	}
	return deeper(n+1) + deeper(n+2)
}

// look says what a child can see of the machine.
func look(address, daemonsUser string) string {
	var found []string
	for _, dir := range []string{"/", "/proc", "/etc", "/tmp", ".", "..", "../.."} {
		entries, err := os.ReadDir(dir)
		for _, entry := range entries {
			found = append(found, dir+" has "+entry.Name())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			found = append(found, err.Error())
		}
	}
	for _, name := range []string{"/etc/passwd", "/proc/self/status", "/proc/1/environ"} {
		if _, err := os.Stat(name); err == nil {
			found = append(found, name)
		}
	}
	if err := os.WriteFile("/written", nil, 0o600); err == nil {
		found = append(found, "wrote a file")
	}
	for _, network := range []string{"tcp", "udp"} {
		if conn, err := net.DialTimeout(network, address, time.Second); err == nil {
			found = append(found, "reached "+conn.RemoteAddr().String())
		}
	}
	if daemonsUser == "0" && (os.Getuid() == 0 || os.Getgid() == 0) { // another's root is in a user namespace
		found = append(found, "root")
	}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "GO") && !strings.HasPrefix(variable, "FANDOGH_CHILD_") {
			found = append(found, variable)
		}
	}
	return strings.Join(found, "\n")
}

// fakeClient stands for BuildKit where a test is about the process alone: it has
// one file system of files, which may not be what the process asks for.
type fakeClient struct {
	gateway.Client
	options map[string]string
	files   map[string]string
	solve   func(gateway.SolveRequest) (*gateway.Result, error) // nil: all that is asked for are files

	warned chan string
}

func newFake(options map[string]string) *fakeClient {
	return &fakeClient{options: options, warned: make(chan string, 1000)}
}

func dockerfile(text string) *fakeClient {
	f := newFake(map[string]string{}) // Dockerfile2LLB needs a platform, and takes this machine's
	f.files = map[string]string{"Dockerfile": text}
	return f
}

func (f *fakeClient) BuildOpts() gateway.BuildOpts {
	return gateway.BuildOpts{
		Opts: f.options, SessionID: "session", Product: "test",
		Caps: pb.Caps.CapSet(pb.Caps.All()), LLBCaps: llb.Caps.CapSet(llb.Caps.All()),
	}
}

func (f *fakeClient) Solve(_ context.Context, r gateway.SolveRequest) (*gateway.Result, error) {
	if f.solve != nil {
		return f.solve(r)
	}
	result := gateway.NewResult()
	result.SetRef(&fakeRef{files: f.files})
	return result, nil
}

func (f *fakeClient) Inputs(context.Context) (map[string]llbclient.State, error) { return nil, nil }

func (f *fakeClient) Warn(_ context.Context, _ digest.Digest, text string, _ gateway.WarnOpts) error {
	f.warned <- text
	return nil
}

type fakeRef struct {
	gateway.Reference
	files map[string]string
}

func (f *fakeRef) ReadFile(_ context.Context, r gateway.ReadRequest) ([]byte, error) {
	text, ok := f.files[r.Filename]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text[:min(len(text), r.Range.Length)]), nil
}

func (f *fakeRef) StatFile(_ context.Context, r gateway.StatRequest) (*types.Stat, error) {
	text, ok := f.files[r.Path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return &types.Stat{Path: r.Path, Size: int64(len(text))}, nil
}

func newInterpreter(t testing.TB, cfg Config) *Interpreter {
	t.Helper()
	if level := hclog.LevelFromString(os.Getenv("FANDOGH_TEST_LOG")); level != hclog.NoLevel {
		cfg.Logger = hclog.New(&hclog.LoggerOptions{Level: level, Output: os.Stderr})
	}
	i := New(cfg)
	t.Cleanup(i.Close)
	return i
}

// awaitIdle waits until a child is ready.
func awaitIdle(t testing.TB, i *Interpreter) *confined.Process {
	t.Helper()
	deadline := time.Now().Add(testTimeout)
	for {
		i.mu.Lock()
		p := i.idle
		i.mu.Unlock()
		if p != nil {
			return p
		}
		if time.Now().After(deadline) {
			t.Fatal("no child became ready")
		}
		<-time.After(time.Millisecond)
	}
}
