package builder

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/fandoghpaas/fandogh/catalog"
)

// commits is a repository, and versions a store with one of each commit but the last.
type commits struct {
	catalog.Sources
	trees  []fstest.MapFS
	steps  []catalog.Step       // of the build that is compared with
	before catalog.BuildOptions // of the build that is compared with
}

type versions struct {
	Store
	*commits
}

type commitFiles struct{ fstest.MapFS }

func (commitFiles) Close() error                             { return nil }
func (commitFiles) Message() string                          { return "" }
func (c commitFiles) Lstat(name string) (fs.FileInfo, error) { return c.Stat(name) }
func (c *commits) tree(commit string) (t fstest.MapFS)       { return c.trees[len(commit)-1] }
func commitOf(n int) string                                  { return strings.Repeat("c", n) }
func (c *commits) build(n int) (b catalog.Build) {
	return catalog.Build{ID: int64(n), Commit: commitOf(n), Options: c.before}
}

func (c *commits) Peek(_ context.Context, _ catalog.ImageRef, commit string) (catalog.CommitFiles, error) {
	return commitFiles{c.tree(commit)}, nil
}

func (c versions) ListVersions(context.Context, int64, catalog.VersionFilter) (all []catalog.Version, err error) {
	for n := len(c.trees) - 1; n > 0; n-- {
		all = append(all, catalog.Version{ID: int64(n), Name: fmt.Sprintf("v%d", n)})
	}
	return all, nil
}

func (c versions) Steps(context.Context, int64) ([]catalog.Step, error) { return c.steps, nil }

func (c versions) ListBuilds(_ context.Context, version int64, _ catalog.Page) ([]catalog.Build, error) {
	return []catalog.Build{c.build(int(version))}, nil
}

func (c *commits) Changed(_ context.Context, _ catalog.ImageRef, a, b string, match func(string) bool) (bool, error) {
	was, is := c.tree(a), c.tree(b)
	for name, file := range is {
		if was[name] == nil || string(was[name].Data) != string(file.Data) {
			match(name)
			match(name)
		}
	}
	for name := range was {
		if is[name] == nil {
			match(name)
		}
	}
	return false, nil
}

// tree makes one of lines "name=content"; several of a name are lines of it.
func tree(files ...string) fstest.MapFS {
	t := fstest.MapFS{}
	for _, file := range files {
		name, content, _ := strings.Cut(file, "=")
		t[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return t
}

// stepsOf makes steps of "name" or "name!", which missed, each a second longer than the one before.
func stepsOf(names ...string) (steps []catalog.Step) {
	for i, name := range names {
		name, missed := strings.CutSuffix(name, "!")
		at := time.Unix(int64(1000*i), 0)
		steps = append(steps, catalog.Step{Digest: fmt.Sprint(i), Name: name, StartedAt: at, EndedAt: at.Add(time.Duration(i) * time.Second), Cached: !missed})
	}
	return steps
}

func diagnosed(t *testing.T, c *commits, options catalog.BuildOptions, steps []catalog.Step) catalog.Diagnosis {
	t.Helper()
	diagnoses, _ := lru.New[int64, catalog.Diagnosis](1)
	b := &Builder{config: Config{Sources: c, Differences: c}, store: versions{commits: c}, diagnoses: diagnoses, diagnosing: make(chan struct{}, 1)}
	build := c.build(len(c.trees))
	build.Options = options
	d, err := b.Diagnose(t.Context(), build, steps)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var sha1, sha2 = strings.Repeat("1", 64), strings.Repeat("2", 64)

const npm = "Dockerfile=FROM node\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN npm run build\n"

func TestWhyItWasSlow(t *testing.T) {
	npmSteps := []string{"[internal] load build context!", "[1/5] FROM node", "[2/5] WORKDIR /app", "[3/5] COPY . .!", "[4/5] RUN npm ci!", "[5/5] RUN npm run build!"}
	for name, c := range map[string]struct {
		was, is     fstest.MapFS // was nil: there was none
		before, now catalog.BuildOptions
		stepsBefore []string
		steps       []string
		want        string // line, cause, files or args, advice
	}{
		"copy before an install": {
			was: tree(npm, "package.json=1", "package-lock.json=1", "a.js=1", "b.js=1"), is: tree(npm, "package.json=1", "package-lock.json=1", "a.js=2", "c.js=1"),
			steps: npmSteps, want: "3 files a.js b.js c.js; copy_first 4 COPY package.json package-lock.json ./",
		},
		"of a directory": {
			was:    tree("web/Dockerfile=FROM node\nCOPY ui/ /app/\nRUN cd /app && yarn && yarn build", "web/ui/package.json=", "web/ui/yarn.lock=", "web/ui/a=1", "ui/a=1"),
			is:     tree("web/Dockerfile=FROM node\nCOPY ui/ /app/\nRUN cd /app && yarn && yarn build", "web/ui/package.json=", "web/ui/yarn.lock=", "web/ui/a=2", "ui/a=2"),
			before: catalog.BuildOptions{Context: "web"}, now: catalog.BuildOptions{Context: "web"},
			steps: []string{"[2/3] COPY ui/ /app/!", "[3/3] RUN cd!"}, want: "2 files ui/a; copy_first 3 COPY ui/package.json ui/yarn.lock /app/",
		},
		"the lock file itself": {
			was: tree(npm, "package.json=1", "a.js=1"), is: tree(npm, "package.json=2", "a.js=1"), steps: npmSteps, want: "3 files package.json;",
		},
		"requirements of pip": {
			was:   tree("Dockerfile=FROM python\nCOPY . /srv\nRUN pip install --no-cache-dir -r /srv/req.txt -r deps/dev.txt", "deps/dev.txt=1", "a.py=1"),
			is:    tree("Dockerfile=FROM python\nCOPY . /srv\nRUN pip install --no-cache-dir -r /srv/req.txt -r deps/dev.txt", "deps/dev.txt=1", "a.py=2"),
			steps: []string{"[2/3] COPY . /srv!", "[3/3] RUN pip!"}, want: "2 files a.py;",
		},
		"a requirements file": {
			was:   tree("Dockerfile=FROM python\nCOPY . .\nRUN pip install -r requirements.txt", "requirements.txt=1", "a.py=1"),
			is:    tree("Dockerfile=FROM python\nCOPY . .\nRUN pip install -r requirements.txt", "requirements.txt=1", "a.py=2"),
			steps: []string{"[2/3] COPY . .!", "[3/3] RUN pip!"}, want: "2 files a.py; copy_first 3 COPY requirements.txt ./",
		},
		"a go program": {
			was:   tree("Dockerfile=FROM golang AS build\nCOPY . .\nRUN go build -o /x .\nFROM scratch\nCOPY --from=build /x /x", "go.mod=", "go.sum=", "x.go=1"),
			is:    tree("Dockerfile=FROM golang AS build\nCOPY . .\nRUN go build -o /x .\nFROM scratch\nCOPY --from=build /x /x", "go.mod=", "go.sum=", "x.go=2"),
			steps: []string{"[build 1/3] FROM golang", "[build 2/3] COPY . .!", "[build 3/3] RUN go!", "[stage-1 1/1] COPY --from=build /x /x!"},
			want:  "2 files x.go; copy_first 3 COPY go.mod go.sum ./ RUN go mod download",
		},
		"packages of the system": {
			was: tree("Dockerfile=FROM debian\nCOPY . .\nRUN apt-get update && apt-get install -y git", "a=1"), is: tree("Dockerfile=FROM debian\nCOPY . .\nRUN apt-get update && apt-get install -y git", "a=2"),
			steps: []string{"[2/3] COPY . .!", "[3/3] RUN apt-get!"}, want: "2 files a; move_up 3",
		},
		"files nobody needs": {
			was: tree(npm, "package.json=1", "README.md=1"), is: tree(npm, "package.json=1", "README.md=2", ".github/w.yml="), steps: npmSteps, want: "3 files .github/w.yml README.md; ignore 3 .github/w.yml,README.md",
		},
		"files left out": {
			was: tree(npm, ".dockerignore=*.md", "README.md=1"), is: tree(npm, ".dockerignore=*.md", "README.md=2"), steps: npmSteps, want: "3 other ;",
		},
		"other files": {
			was: tree("Dockerfile=FROM a\nCOPY src/*.c lib /src/\nRUN make", "src/a.c=1", "src/a.h=1", "lib/x/y=1"), is: tree("Dockerfile=FROM a\nCOPY src/*.c lib /src/\nRUN make", "src/a.c=2", "src/a.h=2", "lib/x/y=2", "docs/x=2"),
			steps: []string{"[2/3] COPY src/*.c lib /src/!", "[3/3] RUN make!"}, want: "2 files lib/x/y src/a.c;",
		},
		"a mount": {
			was: tree("Dockerfile=FROM a\nRUN --mount=type=bind,source=src,target=/src --mount=type=cache,target=/c make", "src/a=1"), is: tree("Dockerfile=FROM a\nRUN --mount=type=bind,source=src,target=/src --mount=type=cache,target=/c make", "src/a=2"),
			steps: []string{"[2/2] RUN --mount!"}, want: "2 files src/a;",
		},
		"an instruction": {
			was: tree("Dockerfile=FROM a\nRUN one\nRUN two"), is: tree("Dockerfile=FROM a\nRUN 1\nRUN two"), steps: []string{"[1/3] FROM a", "[2/3] RUN 1!", "[3/3] RUN two!"}, want: "2 instruction ;",
		},
		"an arg": {
			was: tree("Dockerfile=FROM a\nARG REV\nRUN make"), is: tree("Dockerfile=FROM a\nARG REV\nRUN make"), now: catalog.BuildOptions{Args: map[string]string{"REV": "2", "OTHER": "3"}},
			steps: []string{"[2/2] RUN make!"}, want: "3 args REV; arg_later 3 REV",
		},
		"an arg that is used": {
			was: tree("Dockerfile=FROM a\nARG REV=1\nRUN make $REV"), is: tree("Dockerfile=FROM a\nARG REV=1\nRUN make $REV"), now: catalog.BuildOptions{Args: map[string]string{"REV": "2"}},
			steps: []string{"[2/2] RUN make!"}, want: "3 args REV;",
		},
		"another base image": {
			was: tree("Dockerfile=FROM a:1\nRUN make"), is: tree("Dockerfile=FROM a:1\nRUN make"),
			stepsBefore: []string{"[1/2] FROM a:1@sha256:" + sha1}, steps: []string{"[1/2] FROM a:1@sha256:" + sha2, "[2/2] RUN make!"}, want: "2 base a:1@sha256:" + sha1 + " a:1@sha256:" + sha2 + ";",
		},
		"another base image, and files": {
			was: tree("Dockerfile=FROM a:1\nCOPY . .\nRUN make", "x=1"), is: tree("Dockerfile=FROM a:1\nCOPY . .\nRUN make", "x=2"),
			stepsBefore: []string{"[1/3] FROM a:1@sha256:" + sha1}, steps: []string{"[1/3] FROM a:1@sha256:" + sha2, "[2/3] COPY . .!", "[3/3] RUN make!"}, want: "2 base a:1@sha256:" + sha1 + " a:1@sha256:" + sha2 + ";",
		},
		"the same base image": {
			was: tree("Dockerfile=FROM a:1\nRUN make"), is: tree("Dockerfile=FROM a:1\nRUN make"),
			stepsBefore: []string{"[1/2] FROM a:1@sha256:" + sha1}, steps: []string{"[1/2] FROM a:1@sha256:" + sha1, "[2/2] RUN make!"}, want: "2 other ;",
		},
		"another base image that the cache did not mind": {
			was: tree("Dockerfile=FROM a:1\nRUN one\nRUN make"), is: tree("Dockerfile=FROM a:1\nRUN one\nRUN make"),
			stepsBefore: []string{"[1/3] FROM a:1@sha256:" + sha1}, steps: []string{"[1/3] FROM a:1@sha256:" + sha2, "[2/3] RUN one", "[3/3] RUN make!"}, want: "3 other ;",
		},
		"a base image of another stage": {
			was: tree("Dockerfile=FROM a AS x\nRUN one\nFROM b AS y\nRUN make"), is: tree("Dockerfile=FROM a AS x\nRUN one\nFROM b AS y\nRUN make"),
			stepsBefore: []string{"[x 1/2] FROM a@sha256:" + sha1, "[y 1/2] FROM b@sha256:" + sha1},
			steps:       []string{"[x 1/2] FROM a@sha256:" + sha2, "[y 1/2] FROM b@sha256:" + sha1, "[x 2/2] RUN one!", "[y 2/2] RUN make!"}, want: "4 other ;",
		},
		"a base image by an arg": {
			was: tree("Dockerfile=ARG B\nFROM $B\nRUN make"), is: tree("Dockerfile=ARG B\nFROM $B\nRUN make"), now: catalog.BuildOptions{Args: map[string]string{"B": "c"}},
			stepsBefore: []string{"[linux/amd64 1/2] FROM b@sha256:" + sha1, "[linux/arm64 1/2] FROM b@sha256:" + sha1}, steps: []string{"[linux/amd64 1/2] FROM c@sha256:" + sha2, "[linux/amd64 2/2] RUN make!"},
			want: "3 base b@sha256:" + sha1 + " c@sha256:" + sha2 + ";",
		},
		"nothing":              {was: tree(npm), is: tree(npm), steps: []string{"[4/5] RUN npm ci"}, want: "none"},
		"the base":             {was: tree(npm), is: tree(npm), steps: npmSteps, want: "3 other ;"},
		"the first":            {is: tree(npm), steps: npmSteps, want: "3 first ;"},
		"without the cache":    {was: tree(npm), is: tree(npm, "a="), now: catalog.BuildOptions{NoCache: true}, steps: npmSteps, want: "3 no_cache ;"},
		"without a Dockerfile": {was: tree(npm), is: tree("a="), steps: npmSteps, want: "none"},
		"in another stage": {
			was: tree("Dockerfile=FROM a AS deps\nCOPY x /x\nFROM deps\nRUN slow", "x=1"), is: tree("Dockerfile=FROM a AS deps\nCOPY x /x\nFROM deps\nRUN slow", "x=2"),
			steps: []string{"[deps 1/2] FROM a", "[deps 2/2] COPY x /x!", "[stage-1 1/1] RUN slow!"}, want: "2 files x;",
		},
		"on several platforms": {
			was: tree("Dockerfile=FROM a\nRUN x\nRUN y"), is: tree("Dockerfile=FROM a\nRUN x\nRUN z"), steps: []string{"[linux/amd64 3/3] RUN z!", "[linux/arm64 3/3] RUN z!"}, want: "3 instruction ;",
		},
	} {
		repo := &commits{before: c.before, steps: stepsOf(c.stepsBefore...)}
		if c.was != nil {
			repo.trees = append(repo.trees, c.was)
		}
		repo.trees = append(repo.trees, c.is)
		if got := said(diagnosed(t, repo, c.now, stepsOf(c.steps...)).Miss); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func said(m *catalog.CacheMiss) string {
	if m == nil {
		return "none"
	}
	text := fmt.Sprintf("%d %s %s;", m.Line, m.Cause, strings.TrimSpace(strings.Join(append(append(m.Files, m.Args...), m.BaseWas, m.BaseIs), " ")))
	a := m.Advice
	if a.Kind == "" {
		return text
	}
	about := strings.Join(a.Names, ",")
	if a.Copy != "" {
		about = strings.TrimSpace(a.Copy + " " + a.Run)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %d %s", text, a.Kind, a.Line, about))
}

// Each line of the Dockerfile has the steps of the instruction that begins there.
func TestLinesOfADockerfile(t *testing.T) {
	text := "# syntax=docker/dockerfile:1\n# escape=`\nARG V=1\nFROM a:$V as Base\nRUN one `\n  # a comment\n\n  two\nCOPY <<EOF <<-'END' /x/\nRUN none\nEOF\n\tEND\nENV A=b\nFROM scratch\nADD --chown=1 [\"a b\", \"/\"]\nONBUILD RUN x\nFROM base\nWORKDIR /w\n"
	steps := stepsOf("[base 1/3] FROM a:1", "[base 2/3] RUN one   two!", "[base 3/3] COPY <<EOF <<-'END' /x/", "[stage-1 1/1] ADD --chown=1 a b /", "[stage-2 1/1] WORKDIR /w", "[stage-9 1/1] RUN x", "[internal] load", "exporting to image")
	d := diagnosed(t, &commits{trees: []fstest.MapFS{tree("Dockerfile=" + text)}}, catalog.BuildOptions{}, steps)
	var got []string
	for n, line := range d.Lines {
		for _, s := range line.Steps {
			got = append(got, fmt.Sprintf("%d:%s", n+1, s.Digest))
		}
	}
	if want := []string{"4:0", "5:1", "9:2", "15:3", "18:4"}; !slices.Equal(got, want) || d.Dockerfile != "Dockerfile" || len(d.Lines) != 18 {
		t.Errorf("%s has %d lines with steps %v, want %v", d.Dockerfile, len(d.Lines), got, want)
	}
}

func FuzzScanDockerfile(f *testing.F) {
	f.Add("FROM a\nRUN <<A\nx\nA\nCOPY --from=a [\"b\", \"c\"] .", "[a 1/2] RUN x")
	f.Add("from", "[1/1] RUN")
	f.Fuzz(func(t *testing.T, text, step string) {
		d := scanDockerfile(text)
		for _, i := range d.instructions {
			if i.line < 1 || i.line > len(d.lines) || i.stage >= len(d.stages) {
				t.Errorf("%+v", i)
			}
			i.reads("a/b")
		}
		if at := d.instructionOf(step); at >= len(d.instructions) {
			t.Error(at)
		}
		missed := make([]*catalog.Step, len(d.instructions))
		for i := range missed {
			missed[i] = &catalog.Step{}
		}
		d.root(missed)
	})
}
