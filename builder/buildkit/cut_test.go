//go:build linux

package buildkit

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

// largeTree has enough small files in app/ for a COPY of it to be split.
func largeTree(dockerfile string) *buildkittest.Tree {
	tree := buildkittest.NewTree(map[string]string{
		"Dockerfile":    dockerfile,
		".dockerignore": "app/d03\n*.tmp\nDockerfile\n",
		"app/top.txt":   "top\n",
		"app/x.tmp":     "ignored\n",
	}).WithBusybox()
	for i := range 2400 {
		tree.Add(fmt.Sprintf("app/d%02d/sub/f%04d.txt", i/60, i), fmt.Sprintf("file %d\n", i), 0o644)
	}
	tree.Add("app/bin/run.sh", "#!/bin/sh\n", 0o755)
	for i, name := range []string{"a*[b] \\c", "!not", " blank ", "d[0-9]?/file", "d0", "..dots", "^"} {
		tree.Add("app/"+name, fmt.Sprint("a name that patterns may read otherwise ", i), 0o600)
	}
	tree.Add("app/link", "d01/sub", fs.ModeSymlink|0o777)
	return tree
}

// pushed returns a version's image as the registry has it.
func pushed(t *testing.T, r builder.SolveRequest) v1.Image {
	t.Helper()
	ref, err := name.ParseReference(r.Destination, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(ref, remote.WithAuth(&authn.Basic{Username: r.Credential.Username, Password: r.Credential.Password}))
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// files lists what a container of an image would see.
func files(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	all := mutate.Extract(image)
	defer all.Close() //nolint:errcheck // only read
	seen := map[string]string{}
	for archive := tar.NewReader(all); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return seen
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		seen[strings.Trim(h.Name, "./")] = fmt.Sprintf("%c %o %d:%d %s %s %q", h.Typeflag, h.Mode, h.Uid, h.Gid, h.ModTime, h.Linkname, content)
	}
}

func layerDigests(t *testing.T, image v1.Image) []string {
	t.Helper()
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var digests []string
	for _, layer := range manifest.Layers {
		digests = append(digests, layer.Digest.String())
	}
	return digests
}

// A COPY whose layer is cut from the commit leaves the files that BuildKit's own leaves. ADD is
// never cut and does the same where there are no archives.
func TestCutCopyIsTheSameAsBuildKits(t *testing.T) {
	base := buildkittest.BusyboxImage + `RUN mkdir -p /app/other /elsewhere && chmod 700 /app/other && chown 3:4 /app && \
  echo old > /app/top.txt && echo kept > /app/other/kept && ln -s /elsewhere/target /app/link
`
	cases := map[string]string{
		"all":             base + "%s . /srv/\nRUN test -f /srv/app/d01/sub/f0061.txt && echo seen > /seen\n",
		"mixed":           base + "RUN mkdir -p /app/d01/sub /app/bin && chmod 700 /app/d01 && chown 5:6 /app/bin && ln -s /elsewhere/target /app/bin/run.sh\n%s app /app\n",
		"onto":            base + "%s app /app\n",
		"owned":           base + "RUN mkdir -p /etc && echo joe:x:7:8::/: > /etc/passwd\n%s --chown=joe:9 app/ /app/\n",
		"root":            "FROM scratch\n%s . /\n",
		"linked":          base + "%s --link app /linked\n",
		"workdir":         base + "WORKDIR /deep/down\n%s app .\nRUN cat sub/none d01/sub/f0061.txt > out || true\n",
		"named group":     base + "RUN mkdir -p /etc && echo staff:x:12: > /etc/group && ln -s ../etc/passwd- /etc/passwd\n%s --chown=7:staff app/ /app/\n",
		"nobody":          base + "%s --chown=nobody:none app/ /app/\n",
		"chmod":           base + "%s --chmod=0750 app/ /new/dir/\n",
		"behind links":    base + "RUN mkdir -m 700 /real && ln -s /real /abs && ln -s abs/../abs /rel && ln -s rel /chain\n%s app /chain/deeper\nRUN stat -c '%n %a %u:%g %h' /real /real/deeper/* > /listing\n",
		"dangling":        base + "RUN ln -s /not/there /gone\n%s app /gone\n",
		"files as it is":  base + "RUN mkdir /dir && ln -s /dir /todir && echo old > /old && ln -s /nowhere /hole\n%s app/top.txt app/d05 /todir/\n",
		"file onto":       base + "RUN echo old > /old && chmod 600 /old\n%s app/top.txt /old\n%s app /x\n%s app/bin /x/y\n",
		"over each other": base + "%s app /app\n%s app/d01 /app/d02\n%s app/bin/run.sh /app/d05/sub/\n",
		"deleted":         base + "%s app /app\nRUN rm -r /app/d00 /app/d01/sub && mv /app/d02 /app/moved && chmod 700 /app/d05 && gzip -9 /app/d06/sub/*\n%s app/d01 /app/d00\n",
		"linked over":     base + "RUN mkdir -m 1777 /tmp\n%s --link app /tmp/app\nRUN stat -c '%n %a %u:%g %h' /tmp /tmp/* > /listing\n%s --link app/bin /tmp/app/d01\n",
		"linked in place of a directory as it is": base + "RUN mkdir -p /full/d && chmod 711 /full/d && chown 3:4 /full/d\n%s --link app/top.txt /full\n%s --link app /full\n%s app/bin /full/d01\n",
		"user without a number as it is":          base + "RUN mkdir -p /etc && echo bad:x:-1:2::/: > /etc/passwd\n%s --chown=bad app/ /app/\n",
		"two of three":                            base + "%s app /a\nRUN echo 1 > /1\n%s app /b\nRUN echo 2 > /2\nWORKDIR /w\n%s app .\n",
		"stage as it is":                          base + "%s . /src\nFROM scratch\nCOPY --from=0 /src/app/bin /src/app/d07 /final/\n",
		"less as it is":                           "FROM scratch\n%s --exclude=**/*9.txt app /app\n",
	}
	for what, dockerfile := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			image := strings.ReplaceAll("cut-"+what, " ", "-")
			whole := env.Request("ann", image, "whole", largeTree(strings.ReplaceAll(dockerfile, "%s", "ADD")))
			parts := env.Request("ann", image, "parts", largeTree(strings.ReplaceAll(dockerfile, "%s", "COPY")))
			env.Solve(t, whole)
			_, log := env.Solve(t, parts)
			want, got := files(t, pushed(t, whole)), files(t, pushed(t, parts))
			if !maps.Equal(got, want) {
				for name := range want {
					if got[name] != want[name] {
						t.Errorf("%s is\n%s\nwant\n%s", name, got[name], want[name])
					}
				}
				for name := range got {
					if _, ok := want[name]; !ok {
						t.Errorf("%s is too much", name)
					}
				}
			}
			isCut := len(layerDigests(t, pushed(t, parts))) > len(layerDigests(t, pushed(t, whole)))
			if wanted := !strings.HasSuffix(what, "as it is"); isCut != wanted {
				t.Errorf("cut: %v, want %v", isCut, wanted)
			}
			if n := strings.Count(log, "COPY app /app"); n > 2 || strings.Count(log, "done") == 0 {
				t.Errorf("one step is told as many:\n%s", log)
			}
		})
	}
}

func TestChangedFileMakesOneNewLayer(t *testing.T) {
	tree := largeTree(buildkittest.BusyboxImage + "RUN echo first > /first\nCOPY app /app\nRUN echo last > /last\nCMD [\"/bin/busybox\"]\n")
	before := env.Request("ann", "one-layer", "1.0", tree)
	_, log := env.Solve(t, before)
	if strings.Count(log, "COPY app /app") != 1 || !strings.Contains(log, "[3/4] COPY app /app") {
		t.Errorf("the COPY is not one step:\n%s", log)
	}
	tree.Add("app/d07/sub/f0421.txt", "changed\n", 0o644)
	after := env.Request("ann", "one-layer", "2.0", tree)
	env.Solve(t, after)
	old, changed := layerDigests(t, pushed(t, before)), layerDigests(t, pushed(t, after))
	if len(old) < 6 || len(old) != len(changed) {
		t.Fatalf("%d layers became %d; the COPY is not split", len(old), len(changed))
	}
	var differ int
	for i := range old {
		if old[i] != changed[i] {
			differ++
		}
	}
	if differ != 1 {
		t.Errorf("%d of %d layers are new, want 1", differ, len(old))
	}
	if got := files(t, pushed(t, after))["app/d07/sub/f0421.txt"]; !strings.Contains(got, "changed") {
		t.Errorf("the file is %s", got)
	}

	fresh := env.Request("ann", "one-layer", "3.0", tree)
	cold, err := freshSolver(t).Solve(t.Context(), fresh, (&buildkittest.Recorder{}).Event)
	if err != nil {
		t.Fatal(err)
	}
	if warm, err := pushed(t, after).Digest(); err != nil || warm.String() != cold.Digest {
		t.Errorf("one commit is %s with a cache and %s without (%v)", warm, cold.Digest, err)
	}
}

func TestHistoryHasAnEntryForEveryLayer(t *testing.T) {
	r := env.Request("ann", "history", "1.0", largeTree(buildkittest.BusyboxImage+"WORKDIR /made\nRUN echo first > first\nCOPY --link app /linked\nCOPY app /app\nRUN echo last > last\nCMD [\"/bin/busybox\"]\n"))
	env.Solve(t, r)
	image := pushed(t, r)
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, entry := range config.History {
		if !entry.EmptyLayer {
			told = append(told, strings.Fields(entry.CreatedBy)[0]+" "+strings.Fields(entry.CreatedBy)[1])
		}
	}
	layers := layerDigests(t, image)
	if len(told) != len(layers) {
		t.Fatalf("%d entries for %d layers: %q", len(told), len(layers), told)
	}
	var order []string
	for i, entry := range told {
		if i == 0 || entry != told[i-1] {
			order = append(order, entry)
		}
	}
	want := "COPY busybox, WORKDIR /made, RUN /bin/busybox, COPY app, RUN /bin/busybox"
	if got := strings.Join(order, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for i, digest := range layers { // the layer after the COPYs is what it says
		if told[i] != "RUN /bin/busybox" {
			continue
		}
		layer, err := image.LayerByDigest(v1.Hash{Algorithm: "sha256", Hex: strings.TrimPrefix(digest, "sha256:")})
		if err != nil {
			t.Fatal(err)
		}
		if size, err := layer.Size(); err != nil || size > 1000 {
			t.Errorf("layer %d of a RUN has %d bytes, %v", i, size, err)
		}
	}
}

// Files that no step reads are not sent to BuildKit.
func TestBuildKitIsSentOnlyWhatAStepReads(t *testing.T) {
	tree := func(dockerfile string) *buildkittest.Tree {
		tree := largeTree(buildkittest.BusyboxImage + dockerfile)
		tree.Add("package.json", "{}", 0o644)
		tree.Opens = map[string]error{"app/top.txt": errors.New("was read")}
		return tree
	}
	solver := env.Solver
	for what, reads := range map[string]bool{
		"WORKDIR /srv\nCOPY package.json .\nRUN cat package.json > /installed\nCOPY app/bin app/d0 ./\nCOPY app/d01 app/d02 ./\n": false,
		"COPY app /srv\nRUN ls /srv > /listing\n": true,
		"COPY package.json /\nRUN --mount=type=bind,source=app,target=/app cat /app/top.txt > /copy\nCOPY app/bin /bin2\n": true,
	} {
		r := env.Request("ann", "sent", "1.0", tree(what))
		_, err := solver.Solve(t.Context(), r, (&buildkittest.Recorder{}).Event)
		if (err != nil) != reads {
			t.Errorf("%q: %v", what, err)
		}
	}
}

// What plain BuildKit refuses, and what a plan once did not.
func TestCopiesThatAreRefused(t *testing.T) {
	for what, dockerfile := range map[string]string{
		"file as directory":     "COPY app/top.txt /q\nCOPY app/bin/run.sh /q/\n",
		"file as directory dot": "COPY app/top.txt /q\nCOPY app/bin/run.sh /q/.\n",
		"link to a file":        "RUN echo x > /file && ln -s file /link\nCOPY app/top.txt /link/\n",
		"directory onto a file": "COPY app/top.txt /q\nCOPY app/bin /q\n",
		"below a file":          "COPY app/top.txt /q\nCOPY app/bin /q/r\n",
	} {
		t.Run(what, func(t *testing.T) {
			failure, _ := env.SolveError(t, env.Request("ann", "refused", "1.0", largeTree(buildkittest.BusyboxImage+dockerfile)))
			if failure.Outcome != catalog.OutcomeUserError {
				t.Errorf("got %s: %s", failure.Outcome, failure.Message)
			}
		})
	}
}

// A plan takes what no file system takes; BuildKit finds out.
func TestNamesThatNoFileSystemTakes(t *testing.T) {
	long := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY f /" + strings.Repeat("n", 300) + "\n", "f": "1"})
	deep := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY d " + strings.Repeat("/"+strings.Repeat("n", 200), 21) + "/\n", "d/f": "1"})
	target := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY d /d\n", "d/f": "1"}).Add("d/link", strings.Repeat("t", 5000), fs.ModeSymlink|0o777)
	for what, tree := range map[string]*buildkittest.Tree{"name": long, "path": deep, "target": target} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, err := env.Solver.Solve(ctx, env.Request("ann", "unfit", "1.0", tree), func(builder.Event) {}); err == nil {
			t.Errorf("an image with such a %s was built", what)
		}
		cancel()
	}
}

func TestManyCopiesOfManyFilesTakeLittle(t *testing.T) {
	tree := buildkittest.NewTree(nil)
	for i := range 3000 {
		tree.Add(fmt.Sprintf("app/f%d", i), "x\n", 0o644)
	}
	tree.Add("Dockerfile", "FROM scratch\n"+strings.Repeat("COPY app /app\n", 100), 0o644)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	env.Solve(t, env.Request("ann", "often", "1.0", tree))
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 512<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

func TestPatternsInTheMiddleOfAPath(t *testing.T) {
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY src/*/util.? /u/\n", "src/main.c": "1", "src/a/util.c": "2", "src/b/util.h": "3"})
	r := env.Request("ann", "middle", "1.0", tree)
	env.Solve(t, r)
	if got := env.ImageFile(t, r, "u/util.h"); got != "3" {
		t.Errorf("the file holds %q", got)
	}
}
