//go:build linux

package buildkit

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestFailuresAreToldApart(t *testing.T) {
	buildkittest.Outside(t)
	for name, test := range map[string]struct {
		dockerfile string
		options    catalog.BuildOptions
		outcome    catalog.Outcome
		message    string   // part of it
		detail     []string // parts of it
	}{
		"failing step": {
			dockerfile: buildkittest.BusyboxImage + "RUN echo first; echo broken >&2; exit 3\n",
			outcome:    catalog.OutcomeUserError,
			message:    "Dockerfile:5: RUN echo first; echo broken >&2; exit 3: exit code 3",
			detail:     []string{">>> Dockerfile:5: RUN echo first", "    Dockerfile:4: ENV PATH", "  broken"},
		},
		"killed without evidence that memory ran out": {
			dockerfile: buildkittest.BusyboxImage + "RUN sh -c 'kill -9 $$'; exit $?\n",
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
			dockerfile: buildkittest.BusyboxImage + "RUN echo caf\xe9\n",
			outcome:    catalog.OutcomeUserError,
			message:    "the Dockerfile has a RUN instruction that is not UTF-8",
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
		"base image of another user": {
			dockerfile: "FROM HOST/bob/private:1.0\nCOPY Dockerfile /\n",
			outcome:    catalog.OutcomeUserError,
			message:    "/bob/private:1.0 is not allowed; from this host, a build can use only images of its own namespace in this registry",
		},
		"base image registry that is down": {
			dockerfile: "FROM " + buildkittest.OutsideAllowed + ":1/ann/base:1.0\nCOPY Dockerfile /\n",
			outcome:    catalog.OutcomeInfrastructure,
			message:    "the registry " + buildkittest.OutsideAllowed + ":1, when asked for ann/base:1.0, did not respond: dial tcp " + buildkittest.OutsideAllowed + ":1: connect: connection refused",
		},
		"file at the loopback address of IPv6": {
			dockerfile: "FROM scratch\nADD http://[::1]:8080/x /\n",
			outcome:    catalog.OutcomeUserError,
			message:    "builds can't connect to [::1]:8080: they have no IPv6",
		},
		"file at an IPv6 address": {
			dockerfile: "FROM scratch\nADD http://[2001:db8::1]/x /\n",
			outcome:    catalog.OutcomeUserError,
			message:    "builds can't connect to [2001:db8::1]:80: they have no IPv6",
		},
		"repository over SSH": {
			dockerfile: "FROM scratch\nADD ssh://git@git.example/team/lib.git /lib\n",
			outcome:    catalog.OutcomeUserError,
			message:    `no SSH key "default"`,
		},
		"exit code that BuildKit uses for itself": {
			dockerfile: buildkittest.BusyboxImage + "RUN echo 'connection refused\" did not complete successfully: runc run failed'; exit 255\n",
			outcome:    catalog.OutcomeUserError,
			message:    "exit code 255",
		},
		"name that reads like a fault": {
			dockerfile: "FROM scratch\nCOPY [\"connection refused\", \"/\"]\n",
			outcome:    catalog.OutcomeUserError,
			message:    `"/connection refused": not found`,
		},
		"no such program": {
			dockerfile: buildkittest.BusyboxImage + "RUN [\"/nope\"]\n",
			outcome:    catalog.OutcomeUserError,
			message:    `Dockerfile:5: RUN ["/nope"]: exit code 1`,
		},
		"no such user": {
			dockerfile: buildkittest.BusyboxImage + "USER nobody9\nRUN true\n",
			outcome:    catalog.OutcomeUserError,
			message:    "unable to find user nobody9",
		},
		"output of a step about a full disk": {
			dockerfile: buildkittest.BusyboxImage + "RUN echo x >/dev/full\n",
			outcome:    catalog.OutcomeUserError,
			message:    "exit code 1",
		},
		"program for another machine": {
			dockerfile: buildkittest.BusyboxImage + "RUN printf '\\177ELF\\002\\001\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000\\002\\000\\123\\000' >/avr; head -c 4000 /dev/zero >>/avr; chmod +x /avr\nRUN [\"/avr\"]\n",
			outcome:    catalog.OutcomeUserError,
			message:    "exec format error: the step starts a program that is not built for linux/" + runtime.GOARCH,
		},
		"destination that is a file": {
			dockerfile: buildkittest.BusyboxImage + "COPY busybox /srv/f\nCOPY d /srv/f\n",
			outcome:    catalog.OutcomeUserError,
			message:    "Dockerfile:6: cannot copy to non-directory: /srv/f",
		},
		"mount on a file": {
			dockerfile: buildkittest.BusyboxImage + "RUN --mount=type=cache,target=/bin/busybox/x true\n",
			outcome:    catalog.OutcomeUserError,
			message:    "exit code 1",
			detail:     []string{`to rootfs at "/bin/busybox/x"`, `open /bin/busybox/x: not a directory`},
		},
		"frontend of a user": {
			dockerfile: "# syntax=HOST/ann/frontend:1.0\nFROM scratch\nCOPY Dockerfile /\n",
			outcome:    catalog.OutcomeUserError,
			message:    "is not the Dockerfile frontend of this builder",
		},
		"entitlement": {
			dockerfile: buildkittest.BusyboxImage + "RUN --network=host true\n",
			outcome:    catalog.OutcomeUserError,
			message:    "not allowed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(test.dockerfile, "HOST", env.Registry.Host())
			r := env.Request("ann", "broken", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": text, "d/x": "x"}).WithBusybox())
			r.Options = test.options
			failure, log := env.SolveError(t, r)
			if all := log + failure.Message + strings.Join(failure.Detail, "\n"); strings.Contains(all, env.dir) {
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
	env.Registry.SetFailing(true)
	defer env.Registry.SetFailing(false)
	r := env.Request("ann", "unpushed", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /unpushed\n"}))
	failure, log := env.SolveError(t, r)
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
		"none":            {[]string{"main.go"}, catalog.BuildOptions{}, "this commit contains no file Dockerfile; commit one, or name it with -o dockerfile=PATH"},
		"nested":          {[]string{"deploy/Dockerfile"}, catalog.BuildOptions{}, "-o dockerfile=deploy/Dockerfile"},
		"other case":      {[]string{"DockerFile"}, catalog.BuildOptions{}, "-o dockerfile=DockerFile"},
		"nearest":         {[]string{"a/b/Dockerfile", "z/Dockerfile"}, catalog.BuildOptions{}, "-o dockerfile=z/Dockerfile"},
		"named":           {[]string{"Dockerfile"}, catalog.BuildOptions{Dockerfile: "build/Dockerfile"}, "no file build/Dockerfile"},
		"context without": {[]string{"web/index.html"}, catalog.BuildOptions{Context: "web"}, "no file web/Dockerfile"},
		"no such context": {[]string{"Dockerfile"}, catalog.BuildOptions{Context: "web"}, "context=web is not a directory"},
		"context a file":  {[]string{"Dockerfile"}, catalog.BuildOptions{Context: "Dockerfile"}, "context=Dockerfile is not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := buildkittest.NewTree(nil)
			for _, file := range test.files {
				tree.Add(file, "FROM scratch\n", 0o644)
			}
			r := env.Request("ann", "nodocker", "1.0", tree)
			r.Options = test.options
			failure, _ := env.SolveError(t, r)
			if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, test.want) {
				t.Errorf("got %s: %q, want %q in it", failure.Outcome, failure.Message, test.want)
			}
		})
	}
}

func TestBrokenArchiveAndIgnoreFileAreTheUsers(t *testing.T) {
	for what, files := range map[string]map[string]string{
		"archive":     {"Dockerfile": "FROM scratch\nADD cut.tar /\n", "cut.tar": string(buildkittest.Archive(t, buildkittest.ContentTime, map[string]string{"a": strings.Repeat("x", 9000)})[:4000])},
		"escape":      {"Dockerfile": "FROM scratch\nCOPY . /\n", ".dockerignore": "sr\\c/lib\n"},
		"ignore file": {"Dockerfile": "FROM scratch\nCOPY . /\n", ".dockerignore": "sr\\c/[lib\n"},
	} {
		failure, _ := env.SolveError(t, env.Request("ann", "broken", "1.0", buildkittest.NewTree(files)))
		if failure.Outcome != catalog.OutcomeUserError {
			t.Errorf("%s: got %s: %s", what, failure.Outcome, failure.Message)
		}
	}
}

// BuildKit's client reports what its two halves of a solve return, whichever comes first.
func TestReasonIsFoundInEitherReport(t *testing.T) {
	const reason = `Head "https://198.51.100.1/v2/a/b/manifests/1": dial tcp 198.51.100.1:443: connect: connection refused`
	for _, before := range []string{"", "failed to solve: ", "failed to run Build function: ", "failed to solve: rpc error: code = Unknown desc = "} {
		testkit.Same(t, before, rootText(errors.New(before+"failed to do request: "+reason)), reason)
	}
}

// What BuildKit lost of its cache, as when the disk was full while it was written, is not looked for at the user's.
func TestLostCacheIsInfrastructure(t *testing.T) {
	for _, text := range []string{
		"failed to commit s9qyqe4y to ykx4dbk8 during finalize: failed to stat active key during commit: snapshot does not exist: not found",
		"failed to apply diffs: failed to stat lower snapshot oqp2tt0j: snapshot oqp2tt0j does not exist: not found",
		"failed to read dockerfile: failed to mount lhzivmrs: snapshot lhzivmrs does not exist: not found",
		"failed to get reader from content store: content digest sha256:" + strings.Repeat("a", 64) + ": not found",
	} {
		err := errors.New("failed to solve: " + text)
		if got := outcomeOf(err, rootText(err), true, nil); got != catalog.OutcomeInfrastructure {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{`failed to calculate checksum of ref 1::2: "/snapshot does not exist": not found`, "docker.io/library/none:1: not found"} {
		err := errors.New("failed to solve: " + text)
		if got := outcomeOf(err, rootText(err), true, nil); got != catalog.OutcomeUserError {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// The records that BuildKit says it lost something of are removed, and no other.
func TestLostCacheIsForgotten(t *testing.T) {
	c, err := client.New(t.Context(), env.manager.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only read
	// made returns the records of the build, in order, and one that no other is made of; none while one is in use.
	made := func() (ids []string, last string) {
		t.Helper()
		all, err := c.DiskUsage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		parents := map[string]bool{}
		for _, r := range all {
			for _, parent := range r.Parents {
				parents[parent] = true
			}
		}
		for _, r := range all {
			switch {
			case !strings.Contains(r.Description, "echo lost"):
				continue
			case r.InUse:
				return nil, ""
			case !parents[r.ID]:
				last = r.ID
			}
			ids = append(ids, r.ID)
		}
		slices.Sort(ids)
		return ids, last
	}
	env.Solve(t, env.Request("ann", "lost", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN echo lost >/1\nRUN echo lost >/2\n"}).WithBusybox()))
	var ids []string
	var last string
	testkit.Eventually(t, "the build lets its records go", func() bool {
		ids, last = made()
		return len(ids) > 1
	})
	b := &build{Solver: env.Solver.(*Solver)}
	for _, other := range []string{"process \"snapshot does not exist " + last + "\" failed", "snapshot does not exist: not found", "failed to commit " + last} {
		b.forgetLost(t.Context(), c, errors.New(other))
	}
	now, _ := made()
	testkit.Same(t, "records", now, ids)
	b.forgetLost(t.Context(), c, fmt.Errorf("failed to commit %s to %s during finalize: snapshot does not exist: not found", last, strings.Repeat("a", len(last))))
	now, _ = made()
	testkit.Same(t, "records of which one is lost", now, slices.DeleteFunc(ids, func(id string) bool { return id == last }))
}
