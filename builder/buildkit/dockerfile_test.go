//go:build linux

package buildkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// Dockerfiles in the shape of those that people have.
func TestOrdinaryDockerfilesAreAccepted(t *testing.T) {
	shell := "RUN set -eux; savedMark=\"$(echo a b)\"; arch=amd64; " +
		strings.Repeat("case \"$arch\" in amd64) url=\"https://example.invalid/$arch/$savedMark\"; dir=$HOME/src;; *) echo $url $dir;; esac; ", 30) +
		"printf '%s\\n' \"${url%/*}\" \"$dir/$arch/$savedMark\"\n"
	for name, text := range map[string]string{
		"variables of the shell":  shell,
		"path of paths":           "ENV JAVA_HOME=/opt/java\nENV PATH=$JAVA_HOME/bin:$HOME/.local/bin:$PATH\nRUN echo $PATH\n",
		"quoted heredoc":          "RUN <<'EOF'\n" + strings.Repeat(": $a $b/c\n", 1025) + "EOF\n",
		"copied heredoc":          "COPY <<EOF /x\n" + strings.Repeat("\\$a $HOME/b\n", 1025) + "EOF\n",
		"ten references":          "ENV P=/o\nRUN echo $P/0 $P/1 $P/2 $P/3 $P/4 $P/5 $P/6 $P/7 $P/8 $P/9\n",
		"nine of one":             "ENV APP=/app\nRUN mkdir -p $APP/a $APP/b $APP/c $APP/d $APP/e $APP/f $APP/g $APP/h $APP/i\n",
		"regular expressions":     "RUN echo abc | busybox sed -e 's/b$/x/;s/c$/d/'\n",
		"platform":                "ARG TARGETOS\nARG TARGETARCH\nRUN echo $TARGETOS/$TARGETARCH\n",
		"many stages":             strings.Repeat("FROM scratch\nCOPY Dockerfile /f\n", 130) + buildkittest.BusyboxImage,
		"health check":            "HEALTHCHECK CMD wget $HOST/$P\nCMD exec $JAVA_HOME/bin/java $JAVA_OPTS\nENTRYPOINT $APP_HOME/run.sh $@\n",
		"replaces in a value":     "ENV A=a/b/c\nENV B=${A//\\//-}\nRUN test $B = a-b-c\n",
		"check that finds naught": "",
	} {
		t.Run(name, func(t *testing.T) {
			tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + text}).WithBusybox()
			env.Solve(t, env.Request("ann", "ordinary", fmt.Sprint(time.Now().UnixNano()), tree))
		})
	}
}

// What the frontend itself finds wrong is the user's to correct.
func TestMistakesInDockerfilesAreTheUsers(t *testing.T) {
	for name, test := range map[string]struct{ dockerfile, ignore, message string }{
		"no stage":          {"ARG A=1\n", "", "no stages"},
		"variable stage":    {"FROM scratch\nARG X\nCOPY --from=$X / /\n", "", "variable expansion is not supported"},
		"check is an error": {"# check=error=true\nFROM scratch\nMAINTAINER x\nCOPY Dockerfile /\n", "", "lint violation"},
		"escape":            {"# escape=x\nFROM scratch\n", "", "escape token"},
		"ignore file":       {"FROM scratch\nCOPY Dockerfile /\n", "!\n", "exclusion pattern"},
		"not UTF-8":         {buildkittest.BusyboxImage + "RUN echo caf\xe9\n", "", "is not UTF-8"},
		"instruction":       {"FROM scratch\nMAKE it\n", "", "unknown instruction"},
		"flag":              {"FROM scratch\nCOPY --frm=a / /\n", "", "unknown flag"},
		"empty":             {"\n", "", "no instructions"},
		"circle":            {"FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nCOPY --from=a / /\n", "", "circular"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := buildkittest.NewTree(map[string]string{"Dockerfile": test.dockerfile}).WithBusybox()
			if test.ignore != "" {
				tree.Add(".dockerignore", test.ignore, 0o644)
			}
			failure, _ := env.SolveError(t, env.Request("ann", "mistake", "1.0", tree))
			if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, test.message) {
				t.Errorf("got %s: %q, want %q in it", failure.Outcome, failure.Message, test.message)
			}
		})
	}
}

// Each ends its own build alone, and takes nothing of this process's memory.
func TestDockerfileBeyondALimitEndsItsBuildAlone(t *testing.T) {
	var patterns strings.Builder
	for n := range 200_000 {
		fmt.Fprintf(&patterns, "pattern/%d\n", n)
	}
	var variables strings.Builder
	for n := range 40_000 {
		fmt.Fprintf(&variables, "ENV a%d=1\n", n)
	}
	var sources strings.Builder
	for n := range 10 {
		sources.WriteString("COPY ")
		for m := range 2000 {
			fmt.Fprintf(&sources, "f%d-%d* ", n, m)
		}
		sources.WriteString("/\n")
	}
	bomb := "FROM scratch\nENV A=aaaaaaaa\n" + strings.Repeat("ENV A=$A$A\n", 40)
	for name, test := range map[string]struct{ dockerfile, ignore, message string }{
		"directories":     {"FROM scratch\n" + strings.Repeat("WORKDIR "+strings.Repeat("x", 100)+"\n", 5000), "", "512 MiB of memory"},
		"variables":       {"FROM scratch\n" + variables.String(), "", "10 s of processor time"},
		"doubling":        {bomb, "", "512 MiB of memory"},
		"large":           {"FROM scratch\n" + strings.Repeat("# comment\n", 200_000), "", "larger than 1 MiB"},
		"large ignore":    {"FROM scratch\nCOPY Dockerfile /\n", patterns.String(), ".dockerignore is larger than 1 MiB"},
		"ignore patterns": {"FROM scratch\nCOPY Dockerfile /\n", strings.Repeat("a*\n", 20_000), "the ignore file has 20000 patterns"},
		"sources":         {"FROM scratch\n" + sources.String(), "", "the Dockerfile copies from 20000 patterns"},
	} {
		t.Run(name, func(t *testing.T) {
			stop, done := watchMemory(), make(chan error, 1)
			go func() {
				tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN echo fine\n"}).WithBusybox()
				_, err := env.Solver.Solve(t.Context(), env.Request("bob", "neighbour", fmt.Sprint(time.Now().UnixNano()), tree), func(builder.Event) {})
				done <- err
			}()
			tree := buildkittest.NewTree(map[string]string{"Dockerfile": test.dockerfile})
			if test.ignore != "" {
				tree.Add(".dockerignore", test.ignore, 0o644)
			}
			failure, _ := env.SolveError(t, env.Request("ann", "beyond", "1.0", tree))
			if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, test.message) {
				t.Errorf("got %s: %q, want %q in it", failure.Outcome, failure.Message, test.message)
			}
			if err := <-done; err != nil {
				t.Errorf("another build at the same time: %v", err)
			}
			if grown := stop(); grown > 256<<20 {
				t.Errorf("this process grew by %d MiB", grown>>20)
			}
		})
	}
}

// watchMemory tells by how many bytes this process grew at most until it is stopped.
func watchMemory() (stop func() int64) {
	before := residentMemory()
	ended, most := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		highest := before
		for {
			select {
			case <-tick.C:
				highest = max(highest, residentMemory())
			case <-ended:
				most <- highest - before
				return
			}
		}
	}()
	return func() int64 { close(ended); return <-most }
}

func residentMemory() int64 {
	text, _ := os.ReadFile("/proc/self/statm")
	var size, resident int64
	_, _ = fmt.Sscan(string(text), &size, &resident)
	return resident * int64(os.Getpagesize())
}

func TestOwnFrontendAnswersForDockers(t *testing.T) {
	for _, image := range []string{
		"docker/dockerfile:1", "docker/dockerfile:1.7-labs", "docker.io/docker/dockerfile:1.4.3", "docker/dockerfile-upstream:master",
		"docker/dockerfile:experimental", "docker/dockerfile:1@sha256:" + strings.Repeat("a", 64),
	} {
		t.Run(image, func(t *testing.T) {
			tree := buildkittest.NewTree(map[string]string{"Dockerfile": "# syntax=" + image + "\n" + buildkittest.BusyboxImage + "RUN --mount=type=cache,target=/c echo ran >/c/x\n"}).WithBusybox()
			env.Solve(t, env.Request("ann", "syntax", fmt.Sprint(time.Now().UnixNano()), tree))
		})
	}
	for _, image := range []string{"docker/dockerfile:1.999", "docker/dockerfile:2", "example.invalid/other/frontend:1"} {
		t.Run(image, func(t *testing.T) {
			failure, _ := env.SolveError(t, env.Request("ann", "syntax", "other", buildkittest.NewTree(map[string]string{"Dockerfile": "# syntax=" + image + "\nFROM scratch\nCOPY Dockerfile /\n"})))
			if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, "Dockerfile:1: # syntax="+image) || !strings.Contains(failure.Message, "builder.frontends") {
				t.Errorf("got %s: %q", failure.Outcome, failure.Message)
			}
		})
	}
}

// An image that the operator allows is asked, and not ours; that it does not exist
// comes from the registry.
func TestAllowedFrontendIsAsked(t *testing.T) {
	managed := managerConfig(t.TempDir(), env.Registry)
	managed.Frontends = []string{env.Registry.Host() + "/ann/frontend:1.0"}
	manager := newManager(t, managed)
	buildkittest.RunReady(t, manager)
	cfg := solverConfig(manager, env.Registry)
	cfg.Frontends = managed.Frontends
	solver := newSolver(t, cfg)
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": "# syntax=" + cfg.Frontends[0] + "\nFROM scratch\nCOPY Dockerfile /\n"})
	_, err := solver.Solve(t.Context(), env.Request("ann", "asked", "1.0", tree), func(builder.Event) {})
	var failure *builder.SolveError
	if !errors.As(err, &failure) || !strings.Contains(failure.Message, "/ann/frontend:1.0") || strings.Contains(failure.Message, "builder.frontends") {
		t.Errorf("got %v", err)
	}
}

func TestCancelEndsTheInterpretation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		tree := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\n" + strings.Repeat("ENV a=1 b=$a c=$b d=$c e=$d f=$e\nLABEL x=$a$b$c\n", 15_000)})
		_, err := env.Solver.Solve(ctx, env.Request("ann", "cancelled", "1.0", tree), func(builder.Event) {})
		ended <- err
	}()
	var busy string
	testkit.Eventually(t, "a child works", func() bool { busy = busiest("fandogh-dockerfile"); return busy != "" })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	testkit.Eventually(t, "the child is gone", func() bool { return !slices.Contains(buildkittest.Processes("fandogh-dockerfile"), busy) })
}

// busiest returns a process with this argument that has used some processor time
// since it was ready.
func busiest(argument string) string {
	for _, proc := range buildkittest.Processes(argument) {
		text, err := os.ReadFile(proc + "/stat")
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		var ticks int
		if _, err := fmt.Sscan(fields[11], &ticks); err == nil && ticks > 50 {
			return proc
		}
	}
	return ""
}

func TestManyDockerfilesAtOnce(t *testing.T) {
	var group sync.WaitGroup
	for n := range 24 {
		group.Go(func() {
			tree := buildkittest.NewTree(map[string]string{"Dockerfile": fmt.Sprintf("FROM scratch\nCOPY Dockerfile /\nLABEL n=%d\n", n)})
			if _, err := env.Solver.Solve(t.Context(), env.Request("ann", fmt.Sprintf("many-%d", n), "1.0", tree), func(builder.Event) {}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}
