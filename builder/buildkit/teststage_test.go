//go:build linux

package buildkit

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// tested asks for an image with a test.
func tested(image, version, dockerfile, content string) builder.SolveRequest {
	r := env.Request("ann", image, version, buildkittest.NewTree(map[string]string{
		"Dockerfile": strings.Replace(buildkittest.BusyboxImage, "FROM scratch", "FROM scratch AS base", 1) + dockerfile, "src/a": content, "tests/t": "1", "conf/c": "1",
	}).WithBusybox())
	r.Options.Test = "test"
	return r
}

const shared = `WORKDIR /w
FROM base AS build
COPY src src
RUN --mount=type=cache,target=/c date +%s%N | tee made; echo shared ran
FROM build AS test
COPY tests tests
RUN echo test ran; grep -q good src/a
FROM build
COPY conf conf
RUN echo image ran
`

// A test shares its steps with the image, and leaves nothing of its own.
func TestTestStage(t *testing.T) {
	for _, noCache := range []bool{false, true} {
		image := fmt.Sprint("tested-", noCache)
		r := tested(image, "1", shared, "good "+image)
		r.Options.NoCache = noCache
		result, log := env.Solve(t, r)
		for _, line := range []string{"| shared ran", "| test ran", "| image ran"} {
			if strings.Count(log, line) != 1 {
				t.Errorf("%q does not stand once in the log:\n%s", line, log)
			}
		}
		if strings.Count(log, "WORKDIR /w") != 1 || strings.Count(log, "echo shared ran") != 1 {
			t.Errorf("a step stands twice in the log:\n%s", log)
		}
		untested := tested(image+"-not", "1", shared, "good "+image)
		untested.Options.Test = ""
		if noCache { // what is made differs
			continue
		}
		plain, _ := env.Solve(t, untested)
		testkit.Same(t, "the bases", result.Bases, plain.Bases)
		if files := env.ImageFiles(t, r); files["w/tests/t"] != "" || files["w/conf/c"] != "1" {
			t.Errorf("the image has %v", files)
		}
	}
}

func TestTestStageThatFails(t *testing.T) {
	for what, c := range map[string]struct {
		dockerfile, message string
		outcome             catalog.Outcome
	}{
		"a step of it":        {shared, "the test stage test failed: Dockerfile:11: RUN echo test ran; grep -q good src/a: exit code 1", catalog.OutcomeUserError},
		"no such stage":       {"FROM base\n", `the Dockerfile has no stage "test" to test; name one of its stages as test in .fandogh/config.yml or with -o test=STAGE`, catalog.OutcomeUserError},
		"a step of both":      {"RUN false\nFROM base AS test\nRUN sleep 1\nFROM base\n", "Dockerfile:5: RUN false: exit code 1", catalog.OutcomeUserError},
		"a step of the image": {"FROM base AS test\nFROM base\nRUN false\n", "Dockerfile:7: RUN false: exit code 1", catalog.OutcomeUserError},
		"its base":            {"FROM " + env.Registry.Host() + "/ann/nothing:1 AS test\nFROM base\n", "the test stage test failed: Dockerfile:5: ", catalog.OutcomeUserError},
		"what it copies":      {"FROM base AS test\nCOPY nothing /\nFROM base\n", `the test stage test failed: Dockerfile:6: "/nothing": not found`, catalog.OutcomeUserError},
		"its secret":          {"FROM base AS test\nRUN --mount=type=secret,id=s,required true\nFROM base\n", `the test stage test failed: the Dockerfile requires the secret "s"`, catalog.OutcomeUserError},
		"the Dockerfile":      {"FROM base AS test\nFROM base\nNONSENSE\n", "Dockerfile:7: ", catalog.OutcomeUserError},
	} {
		t.Run(what, func(t *testing.T) {
			failure, log := env.SolveError(t, tested("test-fails", "1", c.dockerfile, "bad"))
			if failure.Outcome != c.outcome || !strings.HasPrefix(failure.Message, c.message) {
				t.Errorf("%s: %q, want %q\n%s", failure.Outcome, failure.Message, c.message, log)
			}
		})
	}
}

// A test is built for each platform of an image, and is nothing of any.
func TestTestStageOfSeveralPlatforms(t *testing.T) {
	from := strings.Replace(base(t, "tested-base", "linux/"+runtime.GOARCH), "\n", " AS build\n", 1)
	request := func(version, test, run string) builder.SolveRequest {
		r := env.Request("ann", "tested-platforms", version, buildkittest.NewTree(map[string]string{
			"Dockerfile": "FROM --platform=$BUILDPLATFORM " + from + "ARG TARGETARCH\nCOPY src /src\nRUN --mount=type=cache,target=/c echo $TARGETARCH | tee /made; echo made for $TARGETARCH\n" +
				"FROM build AS test\nCOPY tests /tests\n" + run + "FROM scratch\nCOPY --from=build /made /made\nCOPY conf /conf\n",
			"src/a": "1", "tests/t": "1", "conf/c": "1",
		}))
		r.Options.Platform, r.Options.Test = "linux/arm64,linux/amd64", test
		return r
	}
	const run = "RUN echo test for $TARGETARCH\n"
	first, log := env.Solve(t, request("1", "test", run))
	for _, line := range []string{"| made for amd64", "| made for arm64", "| test for amd64", "| test for arm64"} {
		if strings.Count(log, line) != 1 {
			t.Errorf("%q does not stand once in the log:\n%s", line, log)
		}
	}
	again, log := env.Solve(t, knowing(request("2", "test", run), map[string]catalog.Version{first.Recipe: {Name: "1", Digest: first.Digest}}))
	if again.SameAs != "1" || again.Digest != first.Digest || strings.Contains(log, "test for") {
		t.Errorf("the same once more: %+v\n%s", again, log)
	}
	untested, _ := env.Solve(t, request("3", "", run))
	testkit.Same(t, "digest without a test", untested.Digest, first.Digest)
	failure, log := env.SolveError(t, request("4", "test", "RUN test $TARGETARCH = amd64\n"))
	if want := "the test stage test failed: Dockerfile:8: RUN test arm64 = amd64: exit code 1"; failure.Message != want {
		t.Errorf("%q, want %q\n%s", failure.Message, want, log)
	}
}

// An earlier version serves only where its test was the same, too.
func TestEarlierVersionWithATest(t *testing.T) {
	const image = "test-earlier"
	first, _ := env.Solve(t, tested(image, "1", shared, "good"))
	known := map[string]catalog.Version{first.Recipe: {Name: "1", Digest: first.Digest}}
	again := knowing(tested(image, "2", shared, "good"), known)
	if result, log := env.Solve(t, again); result.SameAs != "1" || strings.Contains(log, "ran") {
		t.Errorf("the same as %q:\n%s", result.SameAs, log)
	}
	other := knowing(tested(image, "3", shared, "good"), known)
	other.Tree.(*buildkittest.Tree).Add("tests/t", "2", 0o644)
	if result, log := env.Solve(t, other); result.SameAs != "" || !strings.Contains(log, "| test ran") || result.Digest != first.Digest {
		t.Errorf("with another test %+v:\n%s", result, log)
	}
	untested := knowing(tested(image, "4", shared, "good"), known)
	untested.Options.Test = ""
	if result, _ := env.Solve(t, untested); result.SameAs != "" {
		t.Error("the recipe of an image without a test is that of one with a test")
	}
	var asked bool
	unknown := tested(image, "5", "FROM base AS test\nADD http://"+env.Serve(t, http.NotFoundHandler())+"/x /\nFROM base\n", "good")
	unknown.Earlier = func(context.Context, string) (catalog.Version, error) {
		asked = true
		return catalog.Version{}, catalog.Errorf(catalog.NotFound, "none")
	}
	if failure, _ := env.SolveError(t, unknown); asked || !strings.HasPrefix(failure.Message, "the test stage test failed: ") {
		t.Errorf("asked %v, %s", asked, failure.Message)
	}
}
