//go:build linux

package buildkit

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/programs"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// As docker buildx build --platform reads them.
func TestPlatformLists(t *testing.T) {
	local := "linux/" + runtime.GOARCH
	for list, want := range map[string]string{
		"":                                    "",
		"linux/amd64":                         "linux/amd64",
		"linux/amd64,linux/arm64":             "linux/amd64 linux/arm64",
		"linux/arm64,linux/amd64":             "linux/arm64 linux/amd64",
		"linux/amd64, linux/arm64":            "linux/amd64 linux/arm64",
		"linux/amd64,linux/amd64":             "linux/amd64",
		"linux/x86_64,linux/amd64":            "linux/amd64",
		"linux/arm64/v8,linux/aarch64,arm64":  "linux/arm64",
		"linux/arm,linux/arm/v7,linux/arm/v6": "linux/arm/v7 linux/arm/v6",
		"local":                               local,
		"Local," + local:                      local,
		"amd64":                               "linux/amd64",
		"windows/amd64":                       "windows/amd64",
		"windows(10.0.17763)/amd64":           "windows(10.0.17763)/amd64",
		"linux/nonsense":                      "linux/nonsense",
		"nonsense":                            "error: \"nonsense\" is not a platform",
		"linux/none/of/these":                 "error: \"linux/none/of/these\" is not a platform",
		"linux/amd64,":                        "error: \"\" is not a platform",
		"linux/*":                             "error: \"linux/*\" is not a platform",
		"linux/a1,linux/a2,linux/a3,linux/a4,linux/a5,linux/a6,linux/a7,linux/a8,linux/a9,linux/b1,linux/b2,linux/b3,linux/b4,linux/b5,linux/b6,linux/b7,linux/b8": "error: 17 platforms are asked for",
	} {
		found, err := parsePlatforms(list)
		got := strings.Join(formatAll(found), " ")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want && !(err != nil && strings.HasPrefix(want, "error: ") && strings.HasPrefix(got, want)) {
			t.Errorf("%q is %q, want %q", list, got, want)
		}
	}
}

func TestPlatformOfStep(t *testing.T) {
	several, err := parsePlatforms("linux/arm64,linux/arm/v6,windows/amd64")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"[linux/arm64 2/3] RUN make":                              "linux/arm64",
		"[linux/amd64->arm64 build 2/3] RUN make":                 "linux/arm64",
		"[linux/amd64->arm/v6 build 2/3] RUN make":                "linux/arm/v6",
		"[linux/amd64->windows/amd64 build 2/3] RUN make":         "windows/amd64",
		"[linux/amd64 base 1/2] RUN make":                         "linux/amd64",
		"[linux/arm64 internal] load metadata for x":              "linux/arm64",
		"[internal] load build context":                           "",
		"exporting to image":                                      "",
		"[linux/arm64":                                            "",
		"[internal] check that programs for linux/arm64 run":      "",
		"RUN echo [linux/arm64 2/3]":                              "",
		"[linux/amd64->riscv64 build 2/3] COPY linux/arm64 x y z": "",
	} {
		if got := platformOfStep(name, several); got != want {
			t.Errorf("%q is of %q, want %q", name, got, want)
		}
	}
}

func TestPlatformsAreDividedAmongBuildKits(t *testing.T) {
	kit := func(address string, all string) *connection {
		c := &connection{address: address}
		for name := range strings.SplitSeq(all, " ") {
			p, err := parsePlatforms(name)
			if err != nil {
				t.Fatal(err)
			}
			c.platforms = append(c.platforms, p...)
		}
		return c
	}
	amd, other, arm := kit("amd", "linux/amd64 linux/386"), kit("other", "linux/amd64 linux/arm64 linux/s390x"), kit("arm", "linux/arm64 linux/arm/v7")
	for _, test := range []struct {
		wanted  string
		reached []*connection
		want    string
	}{
		{"", []*connection{amd, arm}, "amd:"},
		{"linux/amd64,linux/arm64", []*connection{amd, arm}, "amd:linux/amd64 arm:linux/arm64"},
		{"linux/amd64,linux/arm64", []*connection{other, arm}, "other:linux/amd64 arm:linux/arm64"},
		{"linux/amd64,linux/arm64", []*connection{amd, other}, "amd:linux/amd64 other:linux/arm64"},
		{"linux/arm64,linux/amd64", []*connection{amd, other}, "other:linux/arm64,linux/amd64"},
		{"linux/amd64,linux/arm/v6,linux/386,linux/arm64", []*connection{other, amd, arm}, "other:linux/amd64,linux/386 arm:linux/arm/v6,linux/arm64"},
		{"linux/riscv64,linux/amd64", []*connection{arm, amd}, "arm:linux/riscv64 amd:linux/amd64"},
		{"linux/amd64,linux/riscv64", []*connection{arm, amd}, "amd:linux/amd64,linux/riscv64"},
	} {
		wanted, err := parsePlatforms(test.wanted)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, p := range divide(wanted, test.reached) {
			if p.number != i {
				t.Errorf("%s: part %d has the number %d", test.wanted, i, p.number)
			}
			got = append(got, p.address+":"+strings.Join(formatAll(p.platforms), ","))
		}
		testkit.Same(t, "parts for "+test.wanted, strings.Join(got, " "), test.want)
	}
}

// index reads the index that a solve made, and its images' manifests by platform.
func index(t *testing.T, r builder.SolveRequest, digest string) (v1.IndexManifest, map[string]v1.Manifest) {
	t.Helper()
	repository := r.Build.Image.Repository()
	raw := env.Registry.Get(t, r.Build.Image.Namespace, repository+"/manifests/"+digest)
	var found v1.IndexManifest
	if err := json.Unmarshal(raw, &found); err != nil || !found.MediaType.IsIndex() {
		t.Fatalf("%s is no index: %v", raw, err)
	}
	images := map[string]v1.Manifest{}
	for _, d := range found.Manifests {
		var m v1.Manifest
		if err := json.Unmarshal(env.Registry.Get(t, r.Build.Image.Namespace, repository+"/manifests/"+d.Digest.String()), &m); err != nil {
			t.Fatal(err)
		}
		images[d.Platform.String()] = m
	}
	return found, images
}

func digestsOf(i v1.IndexManifest) map[string]string {
	all := map[string]string{}
	for _, d := range i.Manifests {
		all[d.Platform.String()] = d.Digest.String()
	}
	return all
}

// base builds an image with a shell of this machine for some platforms, and returns a FROM for it.
func base(t *testing.T, name, platforms string) string {
	t.Helper()
	r := env.Request("ann", name, "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage}).WithBusybox())
	r.Options.Platform = platforms
	env.Solve(t, r)
	return r.Destination + "\nSHELL [\"/bin/busybox\", \"sh\", \"-c\"]\n"
}

// crossTree is in the shape of most Dockerfiles for several platforms: a stage of the builder's own platform makes a
// program for each, which is copied onto something that runs nothing.
func crossTree(t *testing.T) *buildkittest.Tree {
	t.Helper()
	return buildkittest.NewTree(map[string]string{
		"Dockerfile": "FROM --platform=$BUILDPLATFORM " + strings.Replace(base(t, "cross-base", "linux/"+runtime.GOARCH), "\n", " AS build\n", 1) + "ARG TARGETARCH TARGETVARIANT BUILDPLATFORM\nWORKDIR /src\nCOPY src .\n" +
			"RUN --mount=type=cache,target=/cache echo $BUILDPLATFORM makes $TARGETARCH$TARGETVARIANT of $(cat main.c) > /program; ls /src\n" +
			"FROM scratch\nARG TARGETARCH\nCOPY conf/$TARGETARCH /etc/conf\nCOPY src /src\nCOPY --from=build /program /program\n",
		"src/main.c": "main", "src/b/other.c": strings.Repeat("x", 3000), "conf/amd64/c": "of amd64", "conf/arm64/c": "of arm64", "conf/arm/c": "of arm",
	})
}

// What compiles on the builder's own platform needs no emulator. Each image is the one that its platform alone gives, and
// the index is the same again.
func TestCrossBuildForSeveralPlatforms(t *testing.T) {
	own := "linux/" + runtime.GOARCH
	r := env.Request("ann", "cross", "1.0", crossTree(t))
	r.Options.Platform = "linux/amd64,linux/arm64,linux/arm/v6"
	rec := &buildkittest.Recorder{}
	result, err := env.Solver.Solve(t.Context(), r, rec.Event)
	if err != nil {
		t.Fatalf("%v\n%s", err, rec.Text())
	}
	found, images := index(t, r, result.Digest)
	if got := slices.Collect(maps.Keys(images)); len(got) != 3 {
		t.Fatalf("the index is for %v", got)
	}
	for i, want := range []string{"linux/amd64", "linux/arm64", "linux/arm/v6"} {
		testkit.Same(t, "platform", found.Manifests[i].Platform.String(), want)
	}
	for platform, of := range map[string]string{"linux/amd64": "amd64", "linux/arm64": "arm64", "linux/arm/v6": "arm"} {
		files := env.FilesOf(t, r, images[platform])
		arch := strings.ReplaceAll(strings.TrimPrefix(platform, "linux/"), "/", "")
		if files["etc/conf/c"] != "of "+of || files["program"] != own+" makes "+arch+" of main\n" || files["src/main.c"] != "main" {
			t.Errorf("%s has %q, %q and %q", platform, files["etc/conf/c"], files["program"], files["src/main.c"])
		}
		if len(images[platform].Layers) != 3 {
			t.Errorf("%s has %d layers", platform, len(images[platform].Layers))
		}
	}
	stepsOf := map[string]int{}
	for _, step := range rec.Steps {
		stepsOf[step.Platform]++
		if step.Platform != "" && !strings.HasPrefix(step.Name, "[linux/") {
			t.Errorf("step %q is of %s", step.Name, step.Platform)
		}
	}
	if stepsOf["linux/amd64"] < 4 || stepsOf["linux/arm64"] < 4 || stepsOf["linux/arm/v6"] < 4 {
		t.Errorf("steps by platform: %v in\n%s", stepsOf, rec.Text())
	}
	if !strings.Contains(rec.Text(), "[linux/arm64 stage-1 1/3] COPY conf/arm64 /etc/conf") {
		t.Errorf("the log does not name the platform of a COPY that is cut:\n%s", rec.Text())
	}

	r.Options.NoCache = true
	again, _ := env.Solve(t, r)
	testkit.Same(t, "digest without the cache", again.Digest, result.Digest)
	r.Options.NoCache = false
	digests := digestsOf(found)
	for platform, digest := range digests {
		alone := env.Request("ann", "cross", "alone", r.Tree.(*buildkittest.Tree))
		alone.Build.Version, alone.Options.Platform = r.Build.Version, platform
		result, _ := env.Solve(t, alone)
		testkit.Same(t, platform+" alone", result.Digest, digest)
	}
	r.Options.Platform = "linux/arm64,linux/amd64"
	other, _ := env.Solve(t, r)
	reversed, _ := index(t, r, other.Digest)
	testkit.Same(t, "images of another index", digestsOf(reversed), map[string]string{"linux/amd64": digests["linux/amd64"], "linux/arm64": digests["linux/arm64"]})
}

// What changed for one platform is made anew for that one, though the platforms see different files and share an image's
// file times.
func TestCacheMountsOfSeveralPlatforms(t *testing.T) {
	from := base(t, "cached-base", "linux/"+runtime.GOARCH)
	files := map[string]string{
		"Dockerfile": "FROM --platform=$BUILDPLATFORM " + strings.Replace(from, "\n", " AS build\n", 1) +
			"ARG TARGETARCH\nCOPY src /src\nCOPY conf/$TARGETARCH /conf\n" +
			"RUN --mount=type=cache,id=of-$TARGETARCH,target=/cache for f in /src/a /src/b /conf/c; do if [ $f -nt /cache/made ]; then echo $TARGETARCH makes $f; fi; done; /bin/busybox touch /cache/made /out\n" +
			"FROM scratch\nCOPY --from=build /out /out\n",
		"src/a": "1", "src/b": "1", "conf/amd64/c": "1", "conf/arm64/c": "1",
	}
	made := func(version string) map[string]bool {
		r := env.Request("ann", "cached", version, buildkittest.NewTree(files))
		r.Options.Platform = "linux/amd64,linux/arm64"
		_, log := env.Solve(t, r)
		found := map[string]bool{}
		for line := range strings.Lines(log) {
			if _, what, ok := strings.Cut(strings.TrimSpace(line), " | "); ok {
				found[what] = true
			}
		}
		return found
	}
	made("1")
	testkit.Same(t, "what is made of the same", made("2"), map[string]bool{})
	files["conf/arm64/c"] = "2"
	testkit.Same(t, "what is made when a file of one platform changed", made("3"), map[string]bool{"arm64 makes /conf/c": true})
	files["src/b"] = "2"
	testkit.Same(t, "what is made when a file of both changed", made("4"), map[string]bool{"arm64 makes /src/b": true, "amd64 makes /src/b": true})
	files["conf/arm64/c"] = "1"
	testkit.Same(t, "what is made when it changed back", made("5"), map[string]bool{"arm64 makes /conf/c": true})
}

// A step that would run a program for a platform that nothing here runs is refused, before any step of any platform.
func TestForeignStepIsRefusedBeforeTheBuild(t *testing.T) {
	from := base(t, "foreign-base", "linux/amd64,linux/mips64le,windows/amd64,linux/nonsense")
	r := env.Request("ann", "foreign", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM " + from + "RUN echo ran\n"}))
	for _, list := range []string{"linux/amd64,linux/mips64le", "linux/mips64le", "linux/amd64,windows/amd64", "linux/nonsense,linux/amd64"} {
		r.Options.Platform = list
		failure, log := env.SolveError(t, r)
		foreign := strings.Trim(strings.ReplaceAll(list, "linux/amd64", ""), ",")
		if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, "this step runs a program for "+foreign+", and the builder can't") ||
			!strings.HasPrefix(failure.Message, "Dockerfile:") || !strings.Contains(failure.Message, "fandoghd doctor") {
			t.Errorf("%s: %s: %s", list, failure.Outcome, failure.Message)
		}
		if strings.Contains(log, "RUN") {
			t.Errorf("%s: a step ran:\n%s", list, log)
		}
	}
}

// Two BuildKits that name a platform each make a part of one image.
func TestSeveralBuildKitsMakeOneIndex(t *testing.T) {
	plain, err := programs.StartBuildkitd(t.Context(), buildkittest.Tool("buildkitd"), buildkittest.Tool("buildctl"), t.TempDir(),
		"[worker.oci]\nnetworkMode = \"host\"\nplatforms = [\"linux/mips64le\"]\n") // its steps are this machine's programs all the same
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plain.Stop)
	cfg := solverConfig(env.manager, env.Registry)
	cfg.Addresses = func() []string { return []string{env.manager.Address(), plain.Address} }
	solver := newSolver(t, cfg)
	from := base(t, "joined-base", "linux/amd64,linux/mips64le")
	tree := func(more string) *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{"Dockerfile": "FROM " + strings.Replace(from, "\n", " AS made\n", 1) + "ARG TARGETARCH BUILDPLATFORM\nCOPY d /d\n" +
			"RUN --mount=type=cache,target=/cache echo $BUILDPLATFORM for $TARGETARCH >/made\n" + more, "d/file": "x"})
	}
	r := env.Request("ann", "joined", "1.0", tree(""))
	r.Options.Platform = "linux/mips64le,linux/amd64"
	solve := func() (builder.SolveResult, *buildkittest.Recorder) {
		rec := &buildkittest.Recorder{}
		result, err := solver.Solve(t.Context(), r, rec.Event)
		if err != nil {
			t.Fatalf("%v\n%s", err, rec.Text())
		}
		return result, rec
	}
	result, rec := solve()
	found, images := index(t, r, result.Digest)
	testkit.Same(t, "platforms", []string{found.Manifests[0].Platform.String(), found.Manifests[1].Platform.String()}, []string{"linux/mips64le", "linux/amd64"})
	for platform, want := range map[string]string{"linux/amd64": "linux/amd64 for amd64\n", "linux/mips64le": "linux/mips64le for mips64le\n"} {
		testkit.Same(t, platform, env.FilesOf(t, r, images[platform])["made"], want)
		if log := rec.Text(); !strings.Contains(log, "["+platform+" made 3/3] RUN --mount=type=cache") {
			t.Errorf("the log lacks a step of %s:\n%s", platform, log)
		}
	}
	for _, step := range rec.Steps {
		if strings.Contains(step.Name, "RUN") && (step.Platform == "" || step.EndedAt.IsZero()) {
			t.Errorf("a step is %+v", step)
		}
	}
	r.Options.NoCache = true
	again, _ := solve()
	testkit.Same(t, "another build", again, result)

	r.Tree = tree("RUN if [ $TARGETARCH = mips64le ]; then echo so it ends; exit 7; fi; sleep 600\n")
	_, err = solver.Solve(t.Context(), r, rec.Event)
	var failure *builder.SolveError
	if !errors.As(err, &failure) || failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, "exit code 7") || !slices.Contains(failure.Detail, "  so it ends") {
		t.Errorf("a step that fails for one platform: %v\n%s", err, plain.Tail())
	}

	testSeveralBuildKits(t, solver, r, tree)

	plain.Stop()
	r.Tree = tree("RUN true\n")
	_, err = solver.Solve(t.Context(), r, rec.Event)
	if !errors.As(err, &failure) || failure.Retry != builder.RetryLater || !strings.Contains(failure.Message, "does not respond") {
		t.Errorf("without the BuildKit for one platform: %v", err)
	}
}

// testSeveralBuildKits holds that each BuildKit builds the test for what it makes, and that none names a recipe of it all.
func testSeveralBuildKits(t *testing.T, solver *Solver, r builder.SolveRequest, tree func(string) *buildkittest.Tree) {
	t.Helper()
	test := func(run string) *buildkittest.Tree { return tree("FROM made AS test\n" + run + "FROM made\n") }
	r.Options.NoCache, r.Options.Test = false, "test"
	r.Earlier = func(context.Context, string) (catalog.Version, error) {
		t.Error("an earlier version was asked for")
		return catalog.Version{}, catalog.Errorf(catalog.NotFound, "none")
	}
	r.Tree = test("RUN echo test for $TARGETARCH\n")
	rec := &buildkittest.Recorder{}
	result, err := solver.Solve(t.Context(), r, rec.Event)
	if err != nil || result.Recipe != "" || len(result.Bases) != 2 {
		t.Errorf("%+v, %v", result, err)
	}
	for _, line := range []string{"| test for amd64", "| test for mips64le"} {
		if strings.Count(rec.Text(), line) != 1 {
			t.Errorf("%q does not stand once in the log:\n%s", line, rec.Text())
		}
	}
	r.Tree = test("RUN test $TARGETARCH = amd64\n")
	var failure *builder.SolveError
	if _, err = solver.Solve(t.Context(), r, rec.Event); !errors.As(err, &failure) || !strings.HasPrefix(failure.Message, "the test stage test failed: ") || failure.Outcome != catalog.OutcomeUserError {
		t.Errorf("a test that fails for one platform: %v", err)
	}
}
