package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	frontend "github.com/moby/buildkit/frontend/dockerfile/builder"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/confined"
)

func TestChildThatEndsFailsItsBuildAlone(t *testing.T) {
	i := newInterpreter(t, Config{})
	for do, want := range map[string]struct {
		outcome catalog.Outcome
		message string
	}{
		"panic":      {catalog.OutcomeUserError, "crashed on it (panic: as the test wants it)"},
		"panic here": {catalog.OutcomeUserError, "crashed on it (panic: as the test wants it)"},
		"recursion":  {catalog.OutcomeUserError, ""},
		"memory":     {catalog.OutcomeUserError, "512 MiB of memory"},
		"time":       {catalog.OutcomeUserError, "10 s of processor time"},
		"exit":       {catalog.OutcomeInfrastructure, "exit status 1"},
	} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // time to use up 10 s of a busy processor
			defer cancel()
			_, err := i.interpret(ctx, newFake(map[string]string{"do": do}))
			var failure *builder.SolveError
			if !errors.As(err, &failure) || failure.Outcome != want.outcome || !strings.Contains(failure.Message, want.message) {
				t.Errorf("got %v, want %s with %q", err, want.outcome, want.message)
			}
			if _, err := i.interpret(ctx, dockerfile("FROM scratch\n")); err != nil {
				t.Errorf("the next build: %v", err)
			}
		})
	}
}

func TestChildSeesNothingOfTheMachine(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // of a test
	t.Setenv("FANDOGH_TEST_SECRET", "secret")
	i := newInterpreter(t, Config{})
	result, err := i.interpret(t.Context(), newFake(map[string]string{"do": "look", "address": listener.Addr().String(), "user": strconv.Itoa(os.Getuid())}))
	if err != nil {
		t.Fatal(err)
	}
	if found := string(result.Metadata["found"]); found != "" {
		t.Errorf("the child found:\n%s", found)
	}
}

// Where namespaces can't be had the limits hold all the same.
func TestChildWithoutNamespaces(t *testing.T) {
	build := func(fake *fakeClient) error {
		p, err := child.StartWithoutNamespaces("")
		if err != nil {
			t.Fatal(err)
		}
		defer p.Kill()
		_, err = newBridge(fake, nil, hclog.NewNullLogger()).serve(t.Context(), p)
		return err
	}
	if err := build(dockerfile("FROM scratch\nLABEL a=b\n")); err != nil {
		t.Error(err)
	}
	if err := build(newFake(map[string]string{"do": "memory"})); err == nil || !strings.Contains(err.Error(), "512 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestEndOfABuildKillsItsChild(t *testing.T) {
	i := newInterpreter(t, Config{})
	p := awaitIdle(t, i)
	ctx, cancel := context.WithCancel(t.Context())
	fake, ended := newFake(map[string]string{"do": "wait"}), make(chan error, 1)
	go func() {
		_, err := i.interpret(ctx, fake)
		ended <- err
	}()
	<-fake.warned // it is at work
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	awaitExit(t, p)
}

func TestCloseEndsTheIdleChild(t *testing.T) {
	i := newInterpreter(t, Config{})
	p := awaitIdle(t, i)
	i.Close()
	awaitExit(t, p)
}

// A child is killed from outside, by the kernel's need of memory for one.
func TestDeadIdleChildIsNotUsed(t *testing.T) {
	i := newInterpreter(t, Config{})
	p := awaitIdle(t, i)
	if err := syscall.Kill(p.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitExit(t, p)
	if _, err := i.interpret(t.Context(), dockerfile("FROM scratch\n")); err != nil {
		t.Error(err)
	}
}

func TestManyBuildsAtOnceLeaveOneChild(t *testing.T) {
	i := newInterpreter(t, Config{})
	var group sync.WaitGroup
	for n := range 16 {
		group.Go(func() {
			if _, err := i.interpretAndRefill(t.Context(), dockerfile(fmt.Sprintf("FROM scratch\nLABEL n=%d\n", n))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	awaitIdle(t, i)
	deadline := time.Now().Add(testTimeout)
	for children() != 1 {
		if time.Now().After(deadline) {
			t.Fatalf("%d children are left", children())
		}
		<-time.After(10 * time.Millisecond)
	}
}

// interpretAndRefill interprets as Build does: a child is started for the next one.
func (i *Interpreter) interpretAndRefill(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
	defer i.refillLater()()
	return i.interpret(ctx, c)
}

// children counts the processes that this one started.
func children() int {
	found := 0
	all, err := os.ReadDir("/proc")
	if err != nil {
		panic(err)
	}
	for _, process := range all {
		text, err := os.ReadFile(filepath.Join("/proc", process.Name(), "status"))
		if err == nil && strings.Contains(string(text), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			found++
		}
	}
	return found
}

func awaitExit(t *testing.T, p *confined.Process) {
	t.Helper()
	select {
	case <-p.Exited:
	case <-time.After(testTimeout):
		t.Fatal("the child lives")
	}
}

// What the child costs a build beside a frontend in this process. BuildKit's part is
// left out: it is the same.
func BenchmarkBuild(b *testing.B) {
	text := "FROM scratch\n" + strings.Repeat("ENV A=$PATH B=c\nRUN make A=$A\nCOPY Dockerfile /x\n", 10)
	b.Run("here", func(b *testing.B) {
		for b.Loop() {
			build(b, frontend.Build, text)
		}
	})
	b.Run("child", func(b *testing.B) {
		i := newInterpreter(b, Config{})
		for b.Loop() {
			b.StopTimer()
			awaitIdle(b, i)
			b.StartTimer()
			build(b, i.interpretAndRefill, text)
		}
	})
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			p, err := child.Start("", func(error) {})
			if err != nil {
				b.Fatal(err)
			}
			p.Kill()
		}
	})
}

func build(b *testing.B, f gateway.BuildFunc, text string) {
	b.Helper()
	fake := dockerfile(text)
	if _, err := f(b.Context(), fake); err != nil {
		b.Fatal(err)
	}
}
