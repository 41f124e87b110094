//go:build linux

package buildkit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

func openTimes(t *testing.T, dir string) *fileTimes {
	t.Helper()
	book := newTimesBook(dir)
	times, done, err := book.open("image")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	return times
}

func TestFileTimesTellWhatChanged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "times")
	first := openTimes(t, dir)
	one := first.moment(1000)
	if a, b := first.of("a", "x", one), first.of("b", "y", one); a != 1000 || b != 1000 {
		t.Errorf("new files are of %d and %d", a, b)
	}
	if err := first.save(); err != nil {
		t.Fatal(err)
	}
	second := openTimes(t, dir) // as after a restart
	two := second.moment(900)   // by a clock that went back
	if two <= one {
		t.Errorf("the second build is of %d, the first was of %d", two, one)
	}
	if a, b := second.of("a", "x", two), second.of("b", "z", two); a != 1000 || b != two {
		t.Errorf("the file that stayed is of %d, the one that changed of %d", a, b)
	}
	if back := second.of("b", "y", second.moment(3000)); back != 3000 {
		t.Errorf("the file that changed back is of %d", back)
	}
}

func TestFileTimesThatAreLostAreNew(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "image"), []byte("no times"), 0o600); err != nil {
		t.Fatal(err)
	}
	book := newTimesBook(dir)
	times, done, err := book.open("image")
	defer done()
	if err == nil {
		t.Error("nothing is said of times that can't be read")
	}
	if at := times.of("a", "x", 5); at != 5 {
		t.Errorf("the file is of %d", at)
	}
	if err := times.save(); err != nil {
		t.Fatal(err)
	}
	if got := openTimes(t, dir).of("a", "x", 9); got != 5 {
		t.Errorf("the file is of %d after a restart", got)
	}
}

func TestBuildsAtOnceShareTheirImagesTimes(t *testing.T) {
	book := newTimesBook(t.TempDir())
	one, doneOne, err := book.open("image")
	two, doneTwo, err2 := book.open("image")
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if one != two {
		t.Error("two builds of one image have times of their own")
	}
	doneOne()
	if three, done, _ := book.open("image"); three != two {
		t.Error("times that are in use were forgotten")
	} else {
		done()
	}
	doneTwo()
	if len(book.all) != 0 {
		t.Error("times that no build uses stay in memory")
	}
	last, done, err := book.open("image")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	release, err := last.alone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if last.ended.Before(book.started) || time.Now().Unix() <= last.ended.Unix() {
		t.Error("a build with cache mounts begins in the second in which the one before ended")
	}
}

// What docker build caches from one commit to the next, is cached here, whenever the
// commits were made.
func TestStepsStayCachedFromCommitToCommit(t *testing.T) {
	dockerfile := "FROM scratch AS first\nCOPY package.json /app/installed\n" + buildkittest.BusyboxImage + `ARG MODE=fast
ENV MODE=$MODE
LABEL of=` + t.Name() + `
USER 7
WORKDIR /app
USER 0
COPY package.json ./
COPY --chown=7:7 package.json /owned/
RUN echo installed > installed
WORKDIR sub
ADD package.json .
COPY --from=first /app/installed .
RUN echo again > again
COPY main.js .
RUN cat main.js > built
HEALTHCHECK CMD true
CMD ["main"]
`
	tree := func(source string, at time.Time) *buildkittest.Tree {
		tree := buildkittest.NewTree(map[string]string{"Dockerfile": dockerfile, "package.json": "{}", "main.js": source}).WithBusybox()
		tree.Commit = at
		return tree
	}
	env.Solve(t, env.Request("ann", "cached", "1.0", tree("one", buildkittest.Epoch)))
	_, log := env.Solve(t, env.Request("ann", "cached", "2.0", tree("two", buildkittest.Epoch.Add(time.Hour))))
	for line := range strings.Lines(log) {
		isStep := strings.Contains(line, "WORKDIR") || strings.Contains(line, "RUN ") || strings.Contains(line, "COPY ") || strings.Contains(line, "ADD ")
		isNew := strings.Contains(line, "COPY main.js") || strings.Contains(line, "RUN cat main.js")
		if isStep && strings.HasSuffix(strings.TrimSpace(line), "CACHED") == isNew {
			t.Errorf("cached is not what it should be: %s", line)
		}
	}
	if n := strings.Count(log, "CACHED"); n < 9 {
		t.Errorf("%d steps are cached:\n%s", n, log)
	}
}

// making is a Dockerfile whose step makes anew what is older than its source.
const making = buildkittest.BusyboxImage + `COPY VERSION /
RUN --mount=type=cache,sharing=locked,target=/out for f in one two; do \
  if [ ! -e /out/$f ] || [ /src/$f.c -nt /out/$f ]; then cp /src/$f.c /out/$f; touch /out/$f; echo $f >> /made; fi; done; touch /made; cat /out/one /out/two > /app
`

// makingFrom copies the sources by an instruction.
func makingFrom(copies string) string {
	return strings.Replace(making, "COPY VERSION /\n", copies+"\nCOPY VERSION /\n", 1)
}

func expectMade(t *testing.T, r builder.SolveRequest, app, made string) {
	t.Helper()
	if got := env.ImageFile(t, r, "app"); got != app {
		t.Errorf("version %s holds %q, its sources %q", r.Build.Version, got, app)
	}
	if got := strings.Join(strings.Fields(env.ImageFile(t, r, "made")), " "); got != made {
		t.Errorf("version %s made %q anew, want %q", r.Build.Version, got, made)
	}
}

// A step that compares times with what an earlier version left in a cache mount makes
// anew just what changed.
func TestCacheMountIsNotTakenForNewer(t *testing.T) {
	for what, copies := range map[string]string{
		"copy":     "COPY src /src",
		"pattern":  "COPY sr* /src/",
		"stage":    "COPY --from=sources /src /src",
		"excluded": "COPY --exclude=*.md src /src",
		"parents":  "COPY --parents src/*.c /",
		"mount":    "",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dockerfile := makingFrom(copies)
			if what == "stage" {
				dockerfile = "FROM scratch AS sources\nCOPY src /src\n" + dockerfile
			}
			if what == "mount" {
				dockerfile = strings.Replace(dockerfile, "RUN ", "RUN --mount=type=bind,source=src,target=/src ", 1)
			}
			for i, test := range []struct{ one, two, made string }{
				{"1a", "2a", "one two"},
				{"1b", "2a", "one"},
				{"1b", "2b", "two"},
				{"1a", "2b", "one"}, // as it was before, and still newer than what was made
				{"1a", "2b", ""},
				{"1a", "2a", "two"},
			} {
				tree := buildkittest.NewTree(map[string]string{"Dockerfile": dockerfile, "src/one.c": test.one, "src/two.c": test.two, "src/README.md": fmt.Sprint(i), "VERSION": fmt.Sprint(i)}).WithBusybox()
				r := env.Request("ann", "mounted-"+what, fmt.Sprint(i), tree)
				env.Solve(t, r)
				expectMade(t, r, test.one+test.two, test.made)
			}
		})
	}
}

// The same place gets its files from elsewhere.
func TestCacheMountSeesFilesFromElsewhere(t *testing.T) {
	tree := func(dockerfile string, i int) *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{
			"Dockerfile": dockerfile, "VERSION": fmt.Sprint(i),
			"a/src/one.c": "1a", "a/src/two.c": "2", "b/src/one.c": "1b", "b/src/two.c": "2", "a/VERSION": fmt.Sprint(i), "b/VERSION": fmt.Sprint(i),
		}).WithBusybox()
	}
	for i, dir := range []string{"a", "b", "a", "b"} {
		byArg := env.Request("ann", "turns-arg", fmt.Sprint(i), tree(makingFrom("ARG DIR\nCOPY $DIR/src /src"), i))
		byArg.Options.Args = map[string]string{"DIR": dir}
		env.Solve(t, byArg)
		expectMade(t, byArg, "1"+dir+"2", "one two")

		linked := tree(makingFrom("COPY src /src"), i)
		linked.Add("src", dir+"/src", fs.ModeSymlink|0o777)
		byLink := env.Request("ann", "turns-link", fmt.Sprint(i), linked)
		env.Solve(t, byLink)
		expectMade(t, byLink, "1"+dir+"2", "one two")
	}
}

// Another image's build of the same files is no reason to give them its times.
func TestCacheMountSeesNoOtherImagesTimes(t *testing.T) {
	tree := func(one string, i int) *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{"Dockerfile": makingFrom("COPY src /src"), "src/one.c": t.Name() + one, "src/two.c": "2", "VERSION": fmt.Sprint(i)}).WithBusybox()
	}
	env.Solve(t, env.Request("ann", "first-to-build", "1", tree("b", 0)))
	env.Solve(t, env.Request("ann", "second-to-build", "1", tree("a", 1)))
	second := env.Request("ann", "second-to-build", "2", tree("b", 2))
	env.Solve(t, second)
	expectMade(t, second, t.Name()+"b2", "one")
}

// Versions of one image that are built at once share its cache mounts.
func TestCacheMountOfBuildsAtOnce(t *testing.T) {
	group, ctx := errgroup.WithContext(t.Context())
	requests := make([]builder.SolveRequest, 4)
	for i := range requests {
		tree := buildkittest.NewTree(map[string]string{"Dockerfile": strings.Replace(makingFrom("COPY src /src"), "for f in", "sleep 0.3; for f in", 1),
			"src/one.c": fmt.Sprint("of ", i), "src/two.c": "2", "VERSION": fmt.Sprint(i)}).WithBusybox()
		requests[i] = env.Request("ann", "mounted-at-once", fmt.Sprint(i), tree)
		group.Go(func() error {
			_, err := env.Solver.Solve(ctx, requests[i], func(builder.Event) {})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, r := range requests {
		if got, want := env.ImageFile(t, r, "app"), fmt.Sprintf("of %d2", i); got != want {
			t.Errorf("version %d holds %q, its sources %q", i, got, want)
		}
	}
}

// A build without the cache empties its cache mounts before the steps, and not after them.
func TestBuildWithoutCacheKeepsWhatItMade(t *testing.T) {
	tree := func(i int) *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{"Dockerfile": makingFrom("COPY src /src") + "COPY src /end\n", "src/one.c": "1", "src/two.c": "2", "VERSION": fmt.Sprint(i)}).WithBusybox()
	}
	for i, want := range []string{"one two", "", "one two", ""} {
		r := env.Request("ann", "mounted-anew", fmt.Sprint(i), tree(i))
		r.Options.NoCache = i == 2
		env.Solve(t, r)
		expectMade(t, r, "12", want)
	}
}

func TestContextFilesAreOfToday(t *testing.T) {
	began := time.Now().Truncate(time.Second)
	r := env.Request("ann", "today", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "COPY d /d\nRUN stat -c %Y /d /d/f > /times\n", "d/f": "1"}).WithBusybox())
	env.Solve(t, r)
	for _, field := range strings.Fields(env.ImageFile(t, r, "times")) {
		var seconds int64
		if _, err := fmt.Sscan(field, &seconds); err != nil || time.Unix(seconds, 0).Before(began) {
			t.Errorf("a file is of %s, the build began at %s", time.Unix(seconds, 0), began)
		}
	}
}

// timesIn returns the times of an image's files.
func timesIn(t *testing.T, r string, commit time.Time, content string, timestamps string) map[string]string {
	t.Helper()
	tree := buildkittest.NewTree(map[string]string{
		"Dockerfile": buildkittest.BusyboxImage + "COPY web /web\nRUN cp /web/page /made && cp /web/same /made-same\nCOPY web/page /top\n",
		"web/page":   content, "web/same": "same",
	}).WithBusybox()
	tree.Commit = commit
	request := env.Request("ann", "timed", r, tree)
	request.Options = catalog.BuildOptions{Timestamps: timestamps}
	env.Solve(t, request)
	times := map[string]string{}
	for name, facts := range files(t, pushed(t, request)) {
		times[name] = strings.Join(strings.Fields(facts)[3:5], " ")
	}
	return times
}

// Web servers tell versions of a file by time and size.
func TestChangedFilesHaveOtherTimesInTheImage(t *testing.T) {
	one := timesIn(t, "1", buildkittest.Epoch, "page 1", "")
	two := timesIn(t, "2", buildkittest.Epoch.Add(time.Hour), "page 2", "")
	for name, changes := range map[string]bool{"web/page": true, "made": true, "top": true, "web/same": false, "made-same": false, "web": false} {
		if one[name] == "" || (one[name] != two[name]) != changes {
			t.Errorf("%s is of %s and of %s", name, one[name], two[name])
		}
	}
	if one["web/page"] != one["made"] || one["made"] != one["top"] {
		t.Errorf("one content has several times: %v", one)
	}
	dated := timesIn(t, "3", buildkittest.Epoch.Add(time.Hour), "page 2", catalog.TimestampsCommit)
	for _, name := range []string{"web/page", "made", "top", "web/same", "made-same", "web"} {
		if want := buildkittest.Epoch.Add(time.Hour).Format("2006-01-02 15:04:05"); dated[name] != want {
			t.Errorf("with the commit's times %s is of %s, want %s", name, dated[name], want)
		}
	}
}

// A module that a step compiled, of a source that a COPY brought, is its in the image, whatever was
// built and forgotten meanwhile.
func TestCompiledPythonOfACopiedSource(t *testing.T) {
	tree := func(source string) *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + `COPY m /m
RUN mkdir /m/__pycache__ && b() { for n in 0 8 16 24; do printf "\\x$(printf %02x $(($1>>n&255)))"; done; } && \
  { printf '\247\r\r\n\0\0\0\0'; b $(stat -c %Y /m/mod.py); b $(stat -c %s /m/mod.py); printf code; } > /m/__pycache__/mod.cpython-311.pyc
`, "m/mod.py": t.Name() + source}).WithBusybox()
	}
	first := env.Request("ann", "compiled", "1", tree("x"))
	once, _ := env.Solve(t, first)
	env.Solve(t, env.Request("ann", "compiled", "2", tree("y")))
	fresh := newSolver(t, solverConfig(env.manager, env.Registry)) // as after a restart
	again, err := fresh.Solve(t.Context(), env.Request("ann", "compiled", "3", tree("x")), func(builder.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	if once.Digest != again.Digest {
		t.Errorf("one commit is %v and later %v", once, again)
	}
	says := binary.LittleEndian.Uint32([]byte(env.ImageFile(t, first, "m/__pycache__/mod.cpython-311.pyc"))[8:])
	if want := uint32(buildkittest.ContentTime(t.Name() + "x").Unix()); says != want {
		t.Errorf("the module says %d, its source is of %d", says, want)
	}
}
