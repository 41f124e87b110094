//go:build linux

package buildkitd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// tightLimits give steps little of everything.
var tightLimits = struct{ all, step Limits }{
	all:  Limits{Memory: 512 << 20, PIDs: 200, CPUs: 1.5},
	step: Limits{Memory: 128 << 20, PIDs: 64},
}

func tightSolver(t *testing.T) (*Manager, *buildkit.Solver) {
	t.Helper()
	cfg := managerConfig(t.TempDir(), env.Registry)
	cfg.Limits, cfg.StepLimits = tightLimits.all, tightLimits.step
	m := newManager(t, cfg)
	buildkittest.RunReady(t, m)
	config := solverConfig(m, env.Registry)
	config.Limiter = m
	return m, newSolver(t, config)
}

// fails solves a step that must fail.
func fails(t *testing.T, solver *buildkit.Solver, namespace, script string) (*builder.SolveError, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	said := &buildkittest.Recorder{}
	_, err := solver.Solve(ctx, env.Request(namespace, "limited", "1.0", stepTree(t, script)), said.Event)
	var failure *builder.SolveError
	if !errors.As(err, &failure) {
		t.Fatalf("%s: got %v\n%s", script, err, said.Text())
	}
	return failure, said.Text()
}

func TestStepsAreLimited(t *testing.T) {
	m, solver := tightSolver(t)
	t.Run("all together, below this process's own groups", func(t *testing.T) {
		own, err := os.ReadFile("/proc/self/cgroup")
		if err != nil {
			t.Fatal(err)
		}
		_, log := fails(t, solver, "ann", "cat /proc/self/cgroup; false")
		for _, h := range m.cgroups.hierarchies {
			if h.v2 {
				continue // the step sees itself as the root
			}
			_, path, _ := strings.Cut(string(own), ":"+strings.Join(h.controllers, ",")+":")
			path, _, _ = strings.Cut(path, "\n")
			if want := ":" + filepath.Join(path, m.cgroups.name, buildPrefix); !strings.Contains(log, want) {
				t.Errorf("no group %s:\n%s", want, log)
			}
		}
		for _, h := range m.cgroups.hierarchies {
			for _, want := range tightLimits.all.settings(h.v2) {
				if text, err := os.ReadFile(filepath.Join(m.cgroups.group(h), want.file)); slices.Contains(h.controllers, want.controller) && (err != nil && !want.optional || err == nil && strings.TrimSpace(string(text)) != want.value) {
					t.Errorf("%s is %q, want %s: %v", want.file, text, want.value, err)
				}
			}
		}
	})
	t.Run("memory", func(t *testing.T) {
		for _, script := range []string{
			"dd if=/dev/zero of=/dev/null bs=400M count=1",
			"dd if=/dev/zero of=/dev/null bs=400M count=1; test $? = 137 && echo killed && exit 3",
			"dd if=/dev/zero of=/dev/shm/file bs=1M count=60; dd if=/dev/zero of=/dev/null bs=100M count=1",
		} {
			failure, log := fails(t, solver, "ann", script)
			if failure.Outcome != catalog.OutcomeOutOfMemory || !strings.Contains(failure.Message, "ran out of memory") {
				t.Errorf("%s: %s: %s\n%s", script, failure.Outcome, failure.Message, log)
			}
		}
	})
	t.Run("what did not run out of memory", func(t *testing.T) {
		for _, script := range []string{
			"sh -c 'kill -9 $$'; exit $?", "exit 137",
			"echo process did not complete successfully: cannot allocate memory; exit 137 # did not complete successfully: cannot allocate memory",
		} {
			if failure, log := fails(t, solver, "ann", script); failure.Outcome != catalog.OutcomeUserError {
				t.Errorf("%s: %s: %s\n%s", script, failure.Outcome, failure.Message, log)
			}
		}
	})
	t.Run("what did not start", func(t *testing.T) {
		r := env.Request("ann", "limited", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN [\"/nope\"]\n"}).WithBusybox())
		said := &buildkittest.Recorder{}
		_, err := solver.Solve(t.Context(), r, said.Event)
		var failure *builder.SolveError
		if !errors.As(err, &failure) || failure.Outcome != catalog.OutcomeUserError {
			t.Fatal(err)
		}
		if all := said.Text() + strings.Join(failure.Detail, "\n"); strings.Contains(all, cgroupRoot) {
			t.Errorf("its control groups are shown:\n%s", all)
		}
	})
	t.Run("processes", func(t *testing.T) {
		bomb := "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done"
		failure, log := fails(t, solver, "ann", bomb)
		if failure.Outcome != catalog.OutcomeProcessLimit || !strings.Contains(failure.Message, "the limit is 64") || !strings.Contains(log, "reached its limit of 64 processes") {
			t.Errorf("%s: %s\n%s", failure.Outcome, failure.Message, log)
		}
	})
	t.Run("all steps of a build together", func(t *testing.T) {
		const hold = "dd if=/dev/zero of=/dev/null bs=400M count=1"
		for name, test := range map[string]struct {
			limits catalog.BuildLimits
			script string
			want   catalog.Outcome
			says   string
		}{
			"memory": {catalog.BuildLimits{Memory: 32 << 20}, "dd if=/dev/zero of=/dev/shm/a bs=1M count=60", catalog.OutcomeOutOfMemory, "may use 32MiB"},
			"none":   {catalog.BuildLimits{Memory: 100 << 20}, "exit 137", catalog.OutcomeUserError, "exit code 137"},
			"disk": {catalog.BuildLimits{Disk: 20 << 20}, "while true; do dd if=/dev/zero bs=1M count=4 2>/dev/null >>/file || exit 1; sleep 0.05; done",
				catalog.OutcomeDiskLimit, "wrote more than its limit of 20MiB"},
			"processes": {catalog.BuildLimits{PIDs: 32}, "i=0; while [ $i -lt 40 ]; do sleep 60 & i=$((i+1)); done", catalog.OutcomeProcessLimit, "the limit is 32"},
			"of a step": {catalog.BuildLimits{Memory: 400 << 20}, hold, catalog.OutcomeOutOfMemory, "the builder's limit"},
		} {
			t.Run(name, func(t *testing.T) {
				r := env.Request("ann", "limited", "1.0", stepTree(t, test.script))
				r.Limits = test.limits
				said := &buildkittest.Recorder{}
				_, err := solver.Solve(t.Context(), r, said.Event)
				var failure *builder.SolveError
				if !errors.As(err, &failure) || failure.Outcome != test.want || !strings.Contains(failure.Message, test.says) || !strings.Contains(failure.Message, "RUN") {
					t.Errorf("%v\n%s", err, said.Text())
				}
			})
		}
		testkit.Eventually(t, "the groups of builds are gone", func() bool {
			for _, h := range m.cgroups.hierarchies {
				for _, name := range subdirs(m.cgroups.group(h)) {
					if name != anyBuild {
						return false
					}
				}
			}
			return true
		})
	})
	t.Run("others go on", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		said := &buildkittest.Recorder{Notify: make(chan string, 10_000)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			full := "trap '' TERM; (i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done); echo full; while true; do sleep 1; done"
			_, _ = solver.Solve(ctx, env.Request("ann", "bomb", "1.0", stepTree(t, full)), said.Event)
		}()
		buildkittest.AwaitLine(t, said, "| full")
		if _, err := solver.Solve(t.Context(), env.Request("bob", "calm", "1.0", stepTree(t, "true | true | true")), func(builder.Event) {}); err != nil {
			t.Errorf("a build beside a step that has all its processes: %v", err)
		}
		cancel()
		<-done
	})
	t.Run("killed first", func(t *testing.T) {
		_, log := fails(t, solver, "ann", "cat /proc/self/oom_score_adj; false")
		if !strings.Contains(log, "| 900") {
			t.Errorf("the step's score:\n%s", log)
		}
		own, err := os.ReadFile("/proc/self/oom_score_adj")
		if err != nil || strings.TrimSpace(string(own)) == "900" {
			t.Errorf("this process's score is %s, %v", own, err)
		}
	})
}
