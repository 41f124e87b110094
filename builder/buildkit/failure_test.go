//go:build linux

package buildkit

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// solveError runs a solve that must fail.
func solveError(t *testing.T, r builder.SolveRequest) (*builder.SolveError, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rec := &recorder{}
	_, err := shared.solver.Solve(ctx, r, rec.event)
	var failure *builder.SolveError
	if !errors.As(err, &failure) {
		t.Fatalf("solve returned %v, want a SolveError\n%s", err, rec.text())
	}
	return failure, rec.text()
}

func TestFailuresAreToldApart(t *testing.T) {
	for name, test := range map[string]struct {
		dockerfile string
		options    catalog.BuildOptions
		outcome    catalog.Outcome
		message    string   // part of it
		detail     []string // parts of it
	}{
		"failing step": {
			dockerfile: busyboxImage + "RUN echo first; echo broken >&2; exit 3\n",
			outcome:    catalog.OutcomeUserError,
			message:    "Dockerfile:5: RUN echo first; echo broken >&2; exit 3: exit code 3",
			detail:     []string{">>> Dockerfile:5: RUN echo first", "    Dockerfile:4: ENV PATH", "  broken"},
		},
		"killed without evidence of want of memory": {
			dockerfile: busyboxImage + "RUN sh -c 'kill -9 $$'; exit $?\n",
			outcome:    catalog.OutcomeUserError,
			message:    "exit code 137",
		},
		"no instruction": {
			dockerfile: "FROM scratch\nCOPIE a b\n",
			outcome:    catalog.OutcomeUserError,
			message:    "Dockerfile:2: dockerfile parse error on line 2: unknown instruction: COPIE",
			detail:     []string{">>> Dockerfile:2: COPIE a b"},
		},
		"empty Dockerfile": {
			dockerfile: "",
			outcome:    catalog.OutcomeUserError,
			message:    "the Dockerfile cannot be empty",
		},
		"missing source": {
			dockerfile: "FROM scratch\nCOPY missing.txt /\n",
			outcome:    catalog.OutcomeUserError,
			message:    `Dockerfile:2: "/missing.txt": not found`,
			detail:     []string{">>> Dockerfile:2: COPY missing.txt /"},
		},
		"unknown target": {
			dockerfile: "FROM scratch AS one\nCOPY Dockerfile /\n",
			options:    catalog.BuildOptions{Target: "two"},
			outcome:    catalog.OutcomeUserError,
			message:    `target stage "two" could not be found`,
		},
		"unknown platform": {
			dockerfile: "FROM scratch\nCOPY Dockerfile /\n",
			options:    catalog.BuildOptions{Platform: "linux/none/of/these"},
			outcome:    catalog.OutcomeUserError,
			message:    "linux/none/of/these",
		},
		"base image that is not there": {
			dockerfile: "FROM HOST/ann/nothing:1.0\nCOPY Dockerfile /\n",
			outcome:    catalog.OutcomeUserError,
			message:    "/ann/nothing:1.0: not found",
			detail:     []string{">>> Dockerfile:1: FROM"},
		},
		"base image of somebody else": {
			dockerfile: "FROM HOST/bob/private:1.0\nCOPY Dockerfile /\n",
			outcome:    catalog.OutcomeUserError,
			message:    "/bob/private:1.0 is refused by policy: it is not in this image's namespace",
		},
		"base image registry that is down": {
			dockerfile: "FROM 127.0.0.2:1/ann/base:1.0\nCOPY Dockerfile /\n",
			outcome:    catalog.OutcomeInfrastructure,
			message:    "connection refused",
		},
		"address of this machine": {
			dockerfile: "FROM scratch\nADD http://HOST/healthz /\n",
			outcome:    catalog.OutcomeUserError,
			message:    "/healthz is refused by policy",
		},
		"frontend of somebody": {
			dockerfile: "# syntax=HOST/ann/frontend:1.0\nFROM scratch\nCOPY Dockerfile /\n",
			outcome:    catalog.OutcomeUserError,
			message:    "is another Dockerfile frontend than this builder's",
		},
		"entitlement": {
			dockerfile: busyboxImage + "RUN --network=host true\n",
			outcome:    catalog.OutcomeUserError,
			message:    "not allowed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(test.dockerfile, "HOST", shared.registry.host())
			r := request("ann", "broken", "1.0", newTree(map[string]string{"Dockerfile": text}).withBusybox())
			r.Options = test.options
			failure, _ := solveError(t, r)
			if failure.Outcome != test.outcome {
				t.Errorf("outcome is %s, want %s (%v)", failure.Outcome, test.outcome, failure)
			}
			if !strings.Contains(failure.Message, test.message) {
				t.Errorf("message is %q, want %q in it", failure.Message, test.message)
			}
			for _, part := range test.detail {
				if !strings.Contains(strings.Join(failure.Detail, "\n"), part) {
					t.Errorf("detail lacks %q:\n%s", part, strings.Join(failure.Detail, "\n"))
				}
			}
		})
	}
}

func TestStepOverItsMemoryIsOutOfMemory(t *testing.T) {
	cfg := solverConfig(shared.manager, shared.registry)
	cfg.StepMemory = 32 << 20
	solver, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	// The shell grows a string until the kernel steps in.
	tree := newTree(map[string]string{"Dockerfile": busyboxImage + "RUN x=0123456789; while true; do x=$x$x; done\n"}).withBusybox()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = solver.Solve(ctx, request("ann", "hungry", "1.0", tree), func(builder.Event) {})
	var failure *builder.SolveError
	if !errors.As(err, &failure) || failure.Outcome != catalog.OutcomeOutOfMemory {
		t.Fatalf("got %v, want out of memory", err)
	}
}

func TestRegistryThatFailsIsInfrastructure(t *testing.T) {
	shared.registry.setFailing(true)
	defer shared.registry.setFailing(false)
	r := request("ann", "unpushed", "1.0", newTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /unpushed\n"}))
	failure, log := solveError(t, r)
	if failure.Outcome != catalog.OutcomeInfrastructure {
		t.Errorf("got %v\n%s", failure, log)
	}
}

func TestMissingDockerfileSaysWhereItWasLookedFor(t *testing.T) {
	for name, test := range map[string]struct {
		files   []string
		options catalog.BuildOptions
		want    string
	}{
		"none":            {[]string{"main.go"}, catalog.BuildOptions{}, "no Dockerfile: this commit has no file Dockerfile; commit one, or name it with -o dockerfile=PATH"},
		"nested":          {[]string{"deploy/Dockerfile"}, catalog.BuildOptions{}, "-o dockerfile=deploy/Dockerfile"},
		"other case":      {[]string{"DockerFile"}, catalog.BuildOptions{}, "-o dockerfile=DockerFile"},
		"nearest":         {[]string{"a/b/Dockerfile", "z/Dockerfile"}, catalog.BuildOptions{}, "-o dockerfile=z/Dockerfile"},
		"named":           {[]string{"Dockerfile"}, catalog.BuildOptions{Dockerfile: "build/Dockerfile"}, "no file build/Dockerfile"},
		"context without": {[]string{"web/index.html"}, catalog.BuildOptions{Context: "web"}, "no file web/Dockerfile"},
		"no such context": {[]string{"Dockerfile"}, catalog.BuildOptions{Context: "web"}, "context=web is no directory"},
		"context a file":  {[]string{"Dockerfile"}, catalog.BuildOptions{Context: "Dockerfile"}, "context=Dockerfile is no directory"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(nil)
			for _, file := range test.files {
				tree.add(file, "FROM scratch\n", 0o644)
			}
			r := request("ann", "nodocker", "1.0", tree)
			r.Options = test.options
			failure, _ := solveError(t, r)
			if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, test.want) {
				t.Errorf("got %s: %q, want %q in it", failure.Outcome, failure.Message, test.want)
			}
		})
	}
}
