//go:build linux

package buildkit

import (
	"context"
	"errors"
	"runtime"
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
		"a step in another encoding": {
			dockerfile: busyboxImage + "RUN echo caf\xe9\n",
			outcome:    catalog.OutcomeUserError,
			message:    "the Dockerfile has a RUN that is not written in UTF-8",
		},
		"a file named in another encoding": {
			dockerfile: "FROM scratch\nCOPY caf\xe9.txt /\n",
			outcome:    catalog.OutcomeUserError,
			message:    "Dockerfile:2: \"/caf\ufffd.txt\": not found",
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
			message:    "the registry 127.0.0.2:1, asked for ann/base:1.0, does not answer: dial tcp 127.0.0.2:1: connect: connection refused",
		},
		"exit code that BuildKit uses for itself": {
			dockerfile: busyboxImage + "RUN echo 'connection refused\" did not complete successfully: runc run failed'; exit 255\n",
			outcome:    catalog.OutcomeUserError,
			message:    "exit code 255",
		},
		"name that reads like a fault": {
			dockerfile: "FROM scratch\nCOPY [\"connection refused\", \"/\"]\n",
			outcome:    catalog.OutcomeUserError,
			message:    `"/connection refused": not found`,
		},
		"no such program": {
			dockerfile: busyboxImage + "RUN [\"/nope\"]\n",
			outcome:    catalog.OutcomeUserError,
			message:    `Dockerfile:5: RUN ["/nope"]: exit code 1`,
		},
		"no such user": {
			dockerfile: busyboxImage + "USER nobody9\nRUN true\n",
			outcome:    catalog.OutcomeUserError,
			message:    "unable to find user nobody9",
		},
		"output of a step about a full disk": {
			dockerfile: busyboxImage + "RUN echo x >/dev/full\n",
			outcome:    catalog.OutcomeUserError,
			message:    "exit code 1",
		},
		"program for another machine": {
			dockerfile: busyboxImage + "RUN printf '\\177ELF\\002\\001\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000\\002\\000\\267\\000' >/arm; head -c 4000 /dev/zero >>/arm; chmod +x /arm\nRUN [\"/arm\"]\n",
			outcome:    catalog.OutcomeUserError,
			message:    "exec format error: a program that the step starts is not for linux/" + runtime.GOARCH,
		},
		"destination that is a file": {
			dockerfile: busyboxImage + "COPY busybox /srv/f\nCOPY d /srv/f\n",
			outcome:    catalog.OutcomeUserError,
			message:    "Dockerfile:6: cannot copy to non-directory: /srv/f",
		},
		"mount on a file": {
			dockerfile: busyboxImage + "RUN --mount=type=cache,target=/bin/busybox/x true\n",
			outcome:    catalog.OutcomeUserError,
			message:    "exit code 1",
			detail:     []string{`to rootfs at "/bin/busybox/x"`, `open /bin/busybox/x: not a directory`},
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
			r := request("ann", "broken", "1.0", newTree(map[string]string{"Dockerfile": text, "d/x": "x"}).withBusybox())
			r.Options = test.options
			failure, log := solveError(t, r)
			if all := log + failure.Message + strings.Join(failure.Detail, "\n"); strings.Contains(all, shared.manager.cfg.Dir) {
				t.Errorf("a path of the builder is shown:\n%s", all)
			}
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

func TestBrokenArchiveAndIgnoreFileAreTheUsers(t *testing.T) {
	for what, files := range map[string]map[string]string{
		"archive":     {"Dockerfile": "FROM scratch\nADD cut.tar /\n", "cut.tar": string(archive(t, byContent, map[string]string{"a": strings.Repeat("x", 9000)})[:4000])},
		"escape":      {"Dockerfile": "FROM scratch\nCOPY . /\n", ".dockerignore": "sr\\c/lib\n"},
		"ignore file": {"Dockerfile": "FROM scratch\nCOPY . /\n", ".dockerignore": "sr\\c/[lib\n"},
	} {
		failure, _ := solveError(t, request("ann", "broken", "1.0", newTree(files)))
		if failure.Outcome != catalog.OutcomeUserError {
			t.Errorf("%s: got %s: %s", what, failure.Outcome, failure.Message)
		}
	}
}
