//go:build linux

package buildkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestSolvePushesAnImage(t *testing.T) {
	tree := buildkittest.NewTree(map[string]string{
		"Dockerfile": buildkittest.BusyboxImage + "COPY hello.txt /\nRUN echo built > /built.txt && echo shown\n",
		"hello.txt":  "hello\n",
	}).WithBusybox()
	r := env.Request("ann", "First", "1.0", tree)
	r.Options.NoCache = true
	result, log := env.Solve(t, r)
	if got := env.ImageFile(t, r, "hello.txt"); got != "hello\n" {
		t.Errorf("hello.txt holds %q", got)
	}
	if got := env.ImageFile(t, r, "built.txt"); got != "built\n" {
		t.Errorf("built.txt holds %q", got)
	}
	if !strings.Contains(log, "RUN echo built") || !strings.Contains(log, "| shown") {
		t.Errorf("log lacks the step or its output:\n%s", log)
	}
	manifest := env.Registry.Get(t, "ann", "ann/first/manifests/"+result.Digest)
	var doc v1.Manifest
	if err := json.Unmarshal(manifest, &doc); err != nil {
		t.Fatal(err)
	}
	want := int64(len(manifest)) + doc.Config.Size
	for _, layer := range doc.Layers {
		want += layer.Size
	}
	if result.Size != want {
		t.Errorf("size is %d, want %d", result.Size, want)
	}
}

// Without the cache each step's own result is in the image, wherever it stands, and not what the cache has of that step.
func TestNoCacheUsesWhatWasRun(t *testing.T) {
	const stamp = "RUN head -c 8 /dev/urandom > /stamp\n"
	for name, dockerfile := range map[string]string{
		"alone": stamp, "last": "RUN echo x > /x\n" + stamp, "first": stamp + "RUN echo x > /x\n",
		"behind a COPY": "COPY Dockerfile /\n" + stamp, "below a COPY": stamp + "COPY Dockerfile /\n", "between": "COPY Dockerfile /a\n" + stamp + "COPY Dockerfile /b\nRUN cat /a\n",
		"in another stage": "RUN true\nFROM scratch AS of\nCOPY busybox /bin/busybox\nCOPY Dockerfile /a\nRUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox head -c 8 /dev/urandom > /made\"]\nFROM scratch\nCOPY Dockerfile /\nCOPY --from=of /made /stamp\nCOPY Dockerfile /b\n",
	} {
		t.Run(name, func(t *testing.T) {
			tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + dockerfile}).WithBusybox()
			seen := map[string]bool{}
			for _, version := range []string{"1.0", "2.0", "3.0"} {
				r := env.Request("ann", "no-cache", fmt.Sprint(len(dockerfile), ".", version), tree)
				r.Options.NoCache = true
				if r.Apart = version == "3.0"; r.Apart {
					r.Build.StartedAt = time.Now()
				}
				env.Solve(t, r)
				seen[env.ImageFile(t, r, "stamp")] = true
			}
			if len(seen) != 3 {
				t.Errorf("of three builds there are %d results", len(seen))
			}
		})
	}
}

// A layer that was cached before the commit was made must not keep the time of
// its making, or the digest would tell what was built before.
func TestDigestDoesNotDependOnTheCache(t *testing.T) {
	solver := freshSolver(t)
	tree := func(commit time.Time, extra string) *buildkittest.Tree {
		tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "WORKDIR /made\nRUN mkdir dir && echo " + t.Name() + " > dir/file\nCOPY extra dir/\n", "extra": extra}).WithBusybox()
		tree.Commit = commit
		return tree
	}
	env.Solve(t, env.Request("ann", "warm", "0.9", tree(buildkittest.Epoch, "first")))
	later := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	r := env.Request("ann", "warm", "1.0", tree(later, "second"))
	warm, log := env.Solve(t, r)
	if !strings.Contains(log, "CACHED") {
		t.Fatalf("nothing was cached:\n%s", log)
	}
	cold, err := solver.Solve(t.Context(), env.Request("ann", "warm", "2.0", tree(later, "second")), (&buildkittest.Recorder{}).Event)
	if err != nil {
		t.Fatal(err)
	}
	if warm.Digest != cold.Digest {
		t.Errorf("one commit is %v with a cache and %v without", warm, cold)
	}
	var manifest v1.Manifest
	if err := json.Unmarshal(env.Registry.Get(t, "ann", "ann/warm/manifests/1.0"), &manifest); err != nil {
		t.Fatal(err)
	}
	var config v1.ConfigFile
	if err := json.Unmarshal(env.Registry.Get(t, "ann", "ann/warm/blobs/"+manifest.Config.Digest.String()), &config); err != nil {
		t.Fatal(err)
	}
	for _, entry := range config.History {
		if !entry.Created.Equal(later) {
			t.Errorf("%q is of %s, want the commit's time %s", entry.CreatedBy, entry.Created, later)
		}
	}
	if !config.Created.Equal(later) {
		t.Errorf("the image is of %s, want the commit's time %s", config.Created, later)
	}
}

// A commit may say that it is older than the time that layers have.
func TestDigestOfAnOldCommitDoesNotDependOnTheCache(t *testing.T) {
	tree := func(content string) *buildkittest.Tree {
		tree := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "dir/file": content, "dir/other": t.Name()})
		tree.Commit = time.Date(1975, 1, 1, 0, 0, 0, 0, time.UTC)
		return tree
	}
	env.Solve(t, env.Request("ann", "old", "0.9", tree("first")))
	warm, _ := env.Solve(t, env.Request("ann", "old", "1.0", tree("second")))
	cold, err := freshSolver(t).Solve(t.Context(), env.Request("ann", "old", "2.0", tree("second")), (&buildkittest.Recorder{}).Event)
	if err != nil {
		t.Fatal(err)
	}
	if warm.Digest != cold.Digest {
		t.Errorf("one commit is %v with a cache and %v without", warm, cold)
	}
}

// freshSolver builds with a BuildKit that has built nothing yet.
func freshSolver(t *testing.T) *Solver {
	t.Helper()
	fresh := newManager(t, managerConfig(filepath.Join(t.TempDir(), "other"), env.Registry))
	buildkittest.RunReady(t, fresh)
	return newSolver(t, solverConfig(fresh, env.Registry))
}

func TestOneChangedByteIsInTheNextImage(t *testing.T) {
	tree := func(content string) *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "app.txt": content})
	}
	for i, content := range []string{"version 1", "version 2", "version 1"} {
		r := env.Request("ann", "onebyte", fmt.Sprint(i), tree(content))
		env.Solve(t, r)
		if got := env.ImageFile(t, r, "app.txt"); got != content {
			t.Errorf("push %d: the image holds %q, want %q", i, got, content)
		}
	}
}

func TestSameCommitSameDigest(t *testing.T) {
	older := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "lib/one": "1"})
	tree := func() *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{
			"Dockerfile": buildkittest.BusyboxImage + "COPY . /src\nRUN echo made > /made && date > /when && mkdir -p /a/b\n",
			"lib/one":    "1", "lib/two": "2", "lib/deep/three": "3", ".dockerignore": "busybox\n!busybox\n",
		}).WithBusybox()
	}
	solver := freshSolver(t)

	// The shared daemon has an older context of this image to update, the other none.
	env.Solve(t, env.Request("ann", "same", "0.9", older))
	want := buildkittest.NewTree(nil)
	want.MapFS = tree().MapFS
	want.Add("Dockerfile", strings.ReplaceAll(string(want.MapFS["Dockerfile"].Data), "date > /when && ", ""), 0o644)
	first, _ := env.Solve(t, env.Request("ann", "same", "1.0", want))
	second, _ := env.Solve(t, env.Request("ann", "same", "2.0", want))
	elsewhere, err := solver.Solve(t.Context(), env.Request("ann", "same", "3.0", want), (&buildkittest.Recorder{}).Event)
	if err != nil {
		t.Fatal(err)
	}
	r := env.Request("ann", "same", "4.0", want)
	r.Options.NoCache = true
	uncached, log := env.Solve(t, r)
	if strings.Contains(log, "CACHED") {
		t.Errorf("no-cache used the cache:\n%s", log)
	}
	if first.Digest != second.Digest || first.Digest != elsewhere.Digest || first.Digest != uncached.Digest {
		t.Errorf("one commit has the images %v, %v, %v elsewhere and %v uncached", first, second, elsewhere, uncached)
	}
}

func TestTenantsShareNoContextFile(t *testing.T) {
	// What BuildKit compares, path, size and time, is equal; the bytes are not.
	tree := func(content string) *buildkittest.Tree {
		tree := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "secret.txt": content})
		return tree
	}
	env.Solve(t, env.Request("ann", "app", "1.0", tree("of ann")))
	bobs := env.Request("bob", "app", "1.0", tree("of bob"))
	env.Solve(t, bobs)
	if got := env.ImageFile(t, bobs, "secret.txt"); got != "of bob" {
		t.Errorf("bob's image holds %q", got)
	}
	other := env.Request("ann", "other", "1.0", tree("others"))
	env.Solve(t, other)
	if got := env.ImageFile(t, other, "secret.txt"); got != "others" {
		t.Errorf("the other image holds %q", got)
	}
}

func TestTenantsShareNoCacheMount(t *testing.T) {
	tree := func(mark string) *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage +
			"RUN --mount=type=cache,target=/cache cat /cache/* > /seen 2>/dev/null; echo " + mark + " >> /cache/mark\n"}).WithBusybox()
	}
	for _, test := range []struct{ namespace, image, mark, want string }{
		{"ann", "mounts", "one", ""},
		{"ann", "mounts", "two", "one\n"}, // the proof that the cache is kept at all
		{"bob", "mounts", "three", ""},
		{"ann", "mounts2", "four", ""},
	} {
		r := env.Request(test.namespace, test.image, test.mark, tree(test.mark))
		// A build arg that would choose the cache's namespace is not passed on.
		r.Options.Args = map[string]string{"BUILDKIT_CACHE_MOUNT_NS": "everybody"}
		env.Solve(t, r)
		if got := env.ImageFile(t, r, "seen"); got != test.want {
			t.Errorf("%s/%s %s saw %q in its cache, want %q", test.namespace, test.image, test.mark, got, test.want)
		}
	}
}

func TestUnreadableFileFailsTheBuild(t *testing.T) {
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY data.bin /\n", "data.bin": "0123456789"})
	tree.Opens = map[string]error{"data.bin": errors.New("object is corrupt")}
	failure, _ := env.SolveError(t, env.Request("ann", "unreadable", "1.0", tree))
	if !strings.Contains(failure.Error(), "object is corrupt") || !strings.Contains(failure.Message, "data.bin") || failure.Outcome != catalog.OutcomeInfrastructure {
		t.Errorf("got %s: %s", failure.Outcome, failure.Message)
	}
}

func TestContextKeepsNamesModesAndLinks(t *testing.T) {
	tree := buildkittest.NewTree(map[string]string{
		"Dockerfile": buildkittest.BusyboxImage + "COPY . /src\n" +
			"RUN cd /src && find . | sort > /list && stat -c '%a %u:%g %N' run.sh link > /modes && cat link > /linked\n",
		"a/b": "1", "a-b": "2", "a.b/c": "3", "a/z/y": "4", "نام.txt": "5", "skip/this": "6",
		".dockerignore": "skip\nDockerfile\n", "run.sh": "#!/bin/sh\n",
	}).WithBusybox()
	tree.MapFS["run.sh"].Mode = 0o755
	tree.Add("link", "a/b", fs.ModeSymlink|0o777)
	r := env.Request("ann", "modes", "1.0", tree)
	env.Solve(t, r)
	want := ".\n./.dockerignore\n./a\n./a-b\n./a.b\n./a.b/c\n./a/b\n./a/z\n./a/z/y\n./busybox\n./link\n./run.sh\n./نام.txt\n"
	if got := env.ImageFile(t, r, "list"); got != want {
		t.Errorf("the context holds\n%swant\n%s", got, want)
	}
	if got, want := env.ImageFile(t, r, "modes"), "755 0:0 run.sh\n777 0:0 'link' -> 'a/b'\n"; got != want {
		t.Errorf("modes and owners are %q, want %q", got, want)
	}
	if got := env.ImageFile(t, r, "linked"); got != "1" {
		t.Errorf("the link leads to %q", got)
	}
}

func TestContextAndDockerfileOptions(t *testing.T) {
	tree := buildkittest.NewTree(map[string]string{
		"build/app.Dockerfile":              "ARG NAME\nFROM scratch AS base\nARG NAME\nLABEL name=$NAME\nCOPY . /\nFROM base AS other\nLABEL stage=other\n",
		"build/app.Dockerfile.dockerignore": "*.tmp\n",
		"web/index.html":                    "hello", "web/x.tmp": "drop", "top.txt": "outside",
	})
	r := env.Request("ann", "options", "1.0", tree)
	r.Options = catalog.BuildOptions{
		Context: "web", Dockerfile: "build/app.Dockerfile", Target: "base",
		Args: map[string]string{"NAME": "pistachio"}, Platform: "linux/arm64", Pull: true,
	}
	result, _ := env.Solve(t, r)
	if got := env.ImageFile(t, r, "index.html"); got != "hello" {
		t.Errorf("index.html holds %q", got)
	}
	var doc v1.Manifest
	if err := json.Unmarshal(env.Registry.Get(t, "ann", "ann/options/manifests/"+result.Digest), &doc); err != nil {
		t.Fatal(err)
	}
	config := string(env.Registry.Get(t, "ann", "ann/options/blobs/"+doc.Config.Digest.String()))
	for _, part := range []string{`"name":"pistachio"`, `"architecture":"arm64"`} {
		if !strings.Contains(config, part) {
			t.Errorf("config lacks %s: %s", part, config)
		}
	}
	if strings.Contains(config, `"stage"`) {
		t.Errorf("target was not heeded: %s", config)
	}
	blob := env.Registry.Get(t, "ann", "ann/options/blobs/"+doc.Layers[0].Digest.String())
	for header := range buildkittest.TarFiles(t, strings.NewReader(string(blob))) {
		if header.Name != "index.html" {
			t.Errorf("the image holds %s", header.Name)
		}
	}
}

func TestSeveralPlatformsMakeAnIndex(t *testing.T) {
	r := env.Request("ann", "platforms", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY Dockerfile /\n"}))
	r.Options.Platform = "linux/amd64,linux/arm64"
	result, _ := env.Solve(t, r)
	raw := env.Registry.Get(t, "ann", "ann/platforms/manifests/"+result.Digest)
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 2 {
		t.Fatalf("index holds %d manifests, want 2: %s", len(index.Manifests), raw)
	}
	least := int64(len(raw)) + index.Manifests[0].Size + index.Manifests[1].Size
	if result.Size <= least {
		t.Errorf("size %d does not count configs and layers beyond %d", result.Size, least)
	}
}

func TestBaseImageIsTakenWithTheBuildsRights(t *testing.T) {
	base := env.Request("ann", "base", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY mine.txt /\n", "mine.txt": "of ann"}))
	baseResult, _ := env.Solve(t, base)
	from := func(reference string) *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{"Dockerfile": "FROM " + reference + "\nCOPY more.txt /\n", "more.txt": "more"})
	}
	anns := env.Request("ann", "child", "1.0", from(base.Destination))
	env.Solve(t, anns)
	if got := env.ImageFile(t, anns, "mine.txt"); got != "of ann" {
		t.Errorf("the base's file holds %q", got)
	}
	public := env.Request("ann", "child", "2.0", from(buildkittest.PublicName+"/ann/base:1.0"))
	env.Solve(t, public)
	if got := env.ImageFile(t, public, "mine.txt"); got != "of ann" {
		t.Errorf("the base's file holds %q when it is taken by its public name", got)
	}
	for _, reference := range []string{
		base.Destination,
		buildkittest.PublicName + "/ann/base:1.0",
		strings.TrimSuffix(base.Destination, ":1.0") + "@" + baseResult.Digest,
	} {
		failure, _ := env.SolveError(t, env.Request("bob", "child", "1.0", from(reference)))
		if failure.Outcome != catalog.OutcomeUserError {
			t.Errorf("bob's build from %s: %v", reference, failure)
		}
	}
}

func TestCancelStopsTheSolveAndItsStep(t *testing.T) {
	marker := fmt.Sprint(7_000_000 + time.Now().UnixNano()%1_000_000)
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN echo asleep; sleep " + marker + "\n"}).WithBusybox()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rec := &buildkittest.Recorder{Notify: make(chan string, 1000)}
	done := make(chan error, 1)
	go func() {
		_, err := env.Solver.Solve(ctx, env.Request("ann", "cancelled", "1.0", tree), rec.Event)
		done <- err
	}()
	buildkittest.AwaitLine(t, rec, "| asleep")
	testkit.Eventually(t, "the step sleeps", func() bool { return buildkittest.ProcessRuns(marker) })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("solve returned %v, want the context's error", err)
	}
	testkit.Eventually(t, "the step's process ends", func() bool { return !buildkittest.ProcessRuns(marker) })
}

func TestBuildsAtOnceDoNotMix(t *testing.T) {
	const builds = 6
	group, ctx := errgroup.WithContext(t.Context())
	requests := make([]builder.SolveRequest, builds)
	for i := range requests {
		tree := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "which.txt": fmt.Sprint("build ", i)})
		for n := range 200 {
			tree.Add(fmt.Sprintf("many/%d/%03d.txt", n%7, n), fmt.Sprint(n), 0o644)
		}
		requests[i] = env.Request("ann", "parallel", fmt.Sprint(i), tree)
		group.Go(func() error {
			_, err := env.Solver.Solve(ctx, requests[i], func(builder.Event) {})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, r := range requests {
		if got, want := env.ImageFile(t, r, "which.txt"), fmt.Sprint("build ", i); got != want {
			t.Errorf("image %d holds %q", i, got)
		}
	}
}

func TestMuchOutputIsBoundedAndDoesNotBlock(t *testing.T) {
	cfg := solverConfig(env.manager, env.Registry)
	cfg.LogLimit = 64 << 10
	solver := newSolver(t, cfg)
	r := env.Request("ann", "loud", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN yes spam | head -c 20000000; echo the end\n"}).WithBusybox())
	r.Options.NoCache = true
	rec := &buildkittest.Recorder{}
	if _, err := solver.Solve(t.Context(), r, rec.Event); err != nil {
		t.Fatal(err)
	}
	if n := len(rec.Text()); n < 63<<10 || n > 66<<10 {
		t.Errorf("the log has %d bytes", n)
	}
	if text := rec.Text(); strings.Count(text, "left out") != 1 || strings.Contains(text, "| the end") || !strings.Contains(text, "exporting to image") {
		t.Errorf("the log is\n%s", strings.ReplaceAll(text, "#5 | spam\n", ""))
	}
}

// buildkitd holds what a step prints until the build is over.
func TestOutputTakesLittleOfBuildkitdsMemory(t *testing.T) {
	const printed = 400 << 20
	before := residentBytes(t)
	r := env.Request("ann", "louder", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage +
		fmt.Sprintf("RUN yes a line of some length that is printed again and again | head -c %d; echo the end; exit 3\n", printed)}).WithBusybox())
	failure, log := env.SolveError(t, r)
	if grown := residentBytes(t) - before; grown > printed/2 {
		t.Errorf("buildkitd has grown by %d MiB", grown>>20)
	}
	if strings.Count(log, "left out") != 1 || strings.Contains(log, "clipped") {
		t.Errorf("the log ends with %q", log[max(0, len(log)-300):])
	}
	if detail := strings.Join(failure.Detail, "\n"); !strings.HasSuffix(detail, "the end") {
		t.Errorf("the detail lacks the last output:\n%s", detail)
	}
}

func TestOutputOfAllStepsIsBounded(t *testing.T) {
	solver := newSolver(t, solverConfig(env.manager, env.Registry))
	solver.output = 1 << 19
	steps := strings.Repeat("RUN yes spam | head -c 300000\n", 2)
	r := env.Request("ann", "loudest", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + steps + "RUN sleep 1000\n"}).WithBusybox())
	r.Options.NoCache = true
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := solver.Solve(ctx, r, func(builder.Event) {})
	var failure *builder.SolveError
	if !errors.As(err, &failure) || failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, "print more than the limit (512KiB)") {
		t.Errorf("got %v", err)
	}
}

// residentBytes returns the memory that buildkitd uses.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", buildkittest.DaemonOf(t, env.dir)))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// More new layers than are compressed at once must not keep each other's bytes
// from coming: BuildKit sends all of them over one connection.
func TestManyNewLayersAtOnce(t *testing.T) {
	const layers = 24
	tree := buildkittest.NewTree(nil)
	var dockerfile strings.Builder
	dockerfile.WriteString("FROM scratch\n")
	for i := range layers {
		noise := make([]byte, 2<<20)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(noise) // never fails
		tree.Add(fmt.Sprint("file", i), string(noise), 0o644)
		fmt.Fprintf(&dockerfile, "COPY file%d /\n", i)
	}
	tree.Add("Dockerfile", dockerfile.String(), 0o644)
	r := env.Request("ann", "many", "1.0", tree)
	r.Options.NoCache = true
	result, _ := env.Solve(t, r)
	if want := int64(layers * 2 << 20); result.Size < want {
		t.Errorf("the image has %d bytes, its files alone %d", result.Size, want)
	}
}

// Layers of a base image stay as they are, and BuildKit reads them.
func TestZstdLayers(t *testing.T) {
	cfg := solverConfig(env.manager, env.Registry)
	cfg.Compression = export.Zstd
	solver := newSolver(t, cfg)
	base := env.Request("ann", "zstd-base", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "COPY file /\n", "file": t.Name()}).WithBusybox())
	if _, err := solver.Solve(t.Context(), base, (&buildkittest.Recorder{}).Event); err != nil {
		t.Fatal(err)
	}
	over := env.Request("ann", "zstd-over", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM " + base.Destination + "\nRUN cp /file /copy\n"}))
	if _, err := freshSolver(t).Solve(t.Context(), over, (&buildkittest.Recorder{}).Event); err != nil {
		t.Fatal(err)
	}
	image := pushed(t, over)
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, layer := range manifest.Layers {
		kinds = append(kinds, string(layer.MediaType[strings.LastIndexAny(string(layer.MediaType), "+.")+1:]))
	}
	if got := strings.Join(kinds, " "); got != "zstd zstd gzip" {
		t.Errorf("the layers are %s", got)
	}
	if got := files(t, image)["copy"]; !strings.Contains(got, t.Name()) {
		t.Errorf("the copied file is %s", got)
	}
	cfg.Compression = "rar"
	if _, err := New(cfg); err == nil {
		t.Error("rar was taken")
	}
}
