package builder

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestCleanLines(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"plain\tline":                "plain\tline",
		"a\nb\r\nc\n":                "a|b|c",
		"10%\r50%\r100%":             "100%",
		"\x1b[1;31mred\x1b[0m":       "red",
		"\x1b]0;title\x07text":       "text",
		"\x1b]8;;http://x\x1b\\link": "link",
		"bell\x07 back\x08 \u009b2J": "bell back 2J",
		"bad \xff byte":              "bad \uFFFD byte",
	} {
		if got := strings.Join(cleanLines(in), "|"); got != want {
			t.Errorf("cleanLines(%q) = %q, want %q", in, got, want)
		}
	}
	long := cleanLines(strings.Repeat("é", maxLineBytes))[0]
	if len(long) > maxLineBytes || !strings.HasSuffix(long, cutMark) || !utf8.ValidString(long) {
		t.Errorf("a long line became %d bytes ending %q", len(long), long[len(long)-20:])
	}
}

func FuzzLogLine(f *testing.F) {
	f.Add(int64(0), "text")
	f.Add(int64(1<<40), "\x1b[0m \xff\n")
	f.Fuzz(func(t *testing.T, ms int64, text string) {
		if ms < 0 || ms > 1<<42 {
			return
		}
		for _, clean := range cleanLines(text) {
			line := catalog.LogLine{Offset: time.Duration(ms) * time.Millisecond, Text: clean}
			encoded := string(appendLine(nil, line))
			body, ended := strings.CutSuffix(encoded, "\n")
			if !ended || strings.ContainsAny(body, "\n\r\x1b") || !utf8.ValidString(body) || len(encoded) >= readChunk {
				t.Fatalf("%q is encoded as %q", clean, encoded)
			}
			if got := parseLine(body); got != line {
				t.Fatalf("%v came back as %v", line, got)
			}
		}
	})
}

func FuzzRepositoryConfig(f *testing.F) {
	f.Add([]byte("build:\n  target: x\n  args: {A: 1}\n"))
	f.Add([]byte("app: x\nbuild: [1]\n"))
	f.Add([]byte("x: &x {name: b}\nimages:\n- {name: a, args: {A: 1.10}, tag_prefix: a-}\n- *x\n- <<: *x\n-\n- [a]\n- !!str a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := parseRepositoryConfig(configNames[0], data); err != nil && catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("a user's file is blamed on us: %v", err)
		}
	})
}

// No file may keep a worker, which can't be cancelled while it parses.
func TestRepositoryConfigBombs(t *testing.T) {
	for _, bomb := range []string{"[", "{a: ", "- ", "build:\n  args:\n    A: ["} {
		text := strings.Repeat(bomb, maxConfigBytes/len(bomb))
		if _, err := parseRepositoryConfig(configNames[0], []byte(text)); catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("%.10q…: %v", text, err)
		}
	}
}

func TestRepositoryConfig(t *testing.T) {
	for _, c := range []struct {
		name, file string
		want       func(o catalog.BuildOptions) bool
		fault      string
	}{
		{name: "other sections", file: "app: web\nname: x\nsource: {context: .}\n", want: func(o catalog.BuildOptions) bool { return o.Target == "" && o.Args == nil }},
		{name: "empty file", file: "", want: func(o catalog.BuildOptions) bool { return o.Args == nil }},
		{name: "comment", file: "# nothing\n", want: func(o catalog.BuildOptions) bool { return o.Args == nil }},
		{name: "empty section", file: "build:\n", want: func(o catalog.BuildOptions) bool { return o.Args == nil }},
		{name: "all keys", file: "build:\n  no-cache: true\n  pull: true\n  args: {A: b, N: 1.10, T: true, Q: \"0x1\", E: }\n  target: t\n  test: u\n  platform: linux/arm64\n  dockerfile: d/F\n  context: d\n  timestamps: commit\n",
			want: func(o catalog.BuildOptions) bool {
				return o.NoCache && o.Pull && o.Args["A"] == "b" && o.Args["N"] == "1.10" && o.Args["T"] == "true" && o.Args["Q"] == "0x1" && o.Args["E"] == "" && len(o.Args) == 5 && o.Target == "t" && o.Test == "u" && o.Platform == "linux/arm64" && o.Dockerfile == "d/F" && o.Context == "d" && o.Timestamps == "commit"
			}},
		{name: "unknown key", file: "build:\n  target: x\n  no_cache: true\n", fault: `line 3: unknown key "no_cache" under build; the keys are: args, branches, context, dockerfile, keep_git, labels, limits, no-cache, platform, pull, source, target, test, timestamps`},
		{name: "several platforms", file: "build:\n  platform: linux/amd64,linux/arm64\n", want: func(o catalog.BuildOptions) bool { return o.Platform == "linux/amd64,linux/arm64" }},
		{name: "platforms as a list", file: "build:\n  platform: [linux/amd64, linux/arm64]\n", want: func(o catalog.BuildOptions) bool { return o.Platform == "linux/amd64,linux/arm64" }},
		{name: "labels as a list", file: "build:\n  labels: [revision, version]\n", want: func(o catalog.BuildOptions) bool {
			return o.HasLabel("revision") && o.HasLabel("version") && !o.HasLabel("created")
		}},
		{name: "labels as text", file: "build:\n  labels: created, source\n", want: func(o catalog.BuildOptions) bool { return o.HasLabel("created") && o.HasLabel("source") }},
		{name: "no labels", file: "build:\n  labels: none\n", want: func(o catalog.BuildOptions) bool { return o.Labels == catalog.LabelsNone }},
		{name: "an empty list of labels", file: "build:\n  labels: []\n", want: func(o catalog.BuildOptions) bool { return o.Labels == catalog.LabelsNone }},
		{name: "labels of the wrong type", file: "build:\n  labels: {a: b}\n", fault: "line 2"},
		{name: "git", file: "build:\n  keep_git: true\n  source: https://git.example.com/a/b\n", want: func(o catalog.BuildOptions) bool {
			return o.KeepGit && o.Source == "https://git.example.com/a/b"
		}},
		{name: "twice", file: "build:\n  target: x\n  target: y\n", fault: "line 3"},
		{name: "wrong type", file: "build:\n  pull: maybe\n", fault: "line 2"},
		{name: "nested arg", file: "build:\n  args:\n    A: {b: c}\n", fault: "build arg A must be text"},
		{name: "list", file: "build: [a]\n", fault: "line 1"},
		{name: "byte order mark and CR LF", file: "\xef\xbb\xbfbuild:\r\n  target: t\r\n", want: func(o catalog.BuildOptions) bool { return o.Target == "t" }},
		{name: "UTF-16", file: "\xff\xfeb\x00u\x00i\x00l\x00d\x00", fault: ".fandogh/config.yml is encoded in UTF-16; save it as UTF-8"},
		{name: "UTF-16 of the other order", file: "\xfe\xff\x00b\x00u", fault: "UTF-16"},
		{name: "UTF-16 without a mark", file: "b\x00u\x00", fault: "UTF-16"},
		{name: "UTF-32", file: "\xff\xfe\x00\x00b\x00\x00\x00", fault: "UTF-32"},
		{name: "Latin-1", file: "build:\n  args: {A: caf\xe9}\n", fault: "UTF-8"},
		{name: "no YAML", file: "build: {\n", fault: ".fandogh/config.yml"},
		{name: "too large", file: "#" + strings.Repeat(" ", maxConfigBytes), fault: "larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := readRepositoryConfig(fstest.MapFS{configNames[0]: {Data: []byte(c.file)}})
			if c.fault != "" {
				if catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), c.fault) {
					t.Fatalf("error %v, want Invalid with %q", err, c.fault)
				}
				if strings.Contains(catalog.MessageOf(err), "\n") {
					t.Errorf("%q is more than a sentence", catalog.MessageOf(err))
				}
				return
			}
			got := config.options
			if err != nil || !c.want(got) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	if config, err := readRepositoryConfig(fstest.MapFS{}); err != nil || config.options.Args != nil {
		t.Errorf("without a file: %+v, %v", config, err)
	}
	if _, err := readRepositoryConfig(fstest.MapFS{configNames[0] + "/x": {}}); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("a directory: %v", err)
	}
}

func TestRepositoryConfigFiles(t *testing.T) {
	config := &fstest.MapFile{Data: []byte("build: {target: t}\n")}
	link := &fstest.MapFile{Data: []byte("other.yml"), Mode: fs.ModeSymlink | 0o777}
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		fault string
	}{
		{"the other name", fstest.MapFS{".fandogh/config.yaml": config}, ""},
		{"both names", fstest.MapFS{".fandogh/config.yml": config, ".fandogh/config.yaml": config}, "both .fandogh/config.yml and .fandogh/config.yaml; move everything into .fandogh/config.yml"},
		{"a link", fstest.MapFS{".fandogh/config.yml": link, ".fandogh/other.yml": config}, ".fandogh/config.yml is a symbolic link"},
		{"a link of the other name", fstest.MapFS{".fandogh/config.yaml": link}, ".fandogh/config.yaml is a symbolic link"},
		{"the directory is a link", fstest.MapFS{".fandogh": {Data: []byte("x"), Mode: fs.ModeSymlink | 0o777}, "x/config.yml": config}, ".fandogh is a symbolic link"},
		{"a fault of the other name", fstest.MapFS{".fandogh/config.yaml": {Data: []byte("build: {x: y}")}}, ".fandogh/config.yaml line 1"},
	} {
		got, err := readRepositoryConfig(c.files)
		switch {
		case c.fault == "" && (err != nil || got.options.Target != "t"):
			t.Errorf("%s: %+v, %v", c.name, got, err)
		case c.fault != "" && (catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), c.fault)):
			t.Errorf("%s: error %v, want Invalid with %q", c.name, err, c.fault)
		}
	}
}

func TestHumanTime(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0s", 340 * time.Millisecond: "0.3s", 12400 * time.Millisecond: "12.4s",
		200 * time.Second: "3m20s", 30 * time.Minute: "30m", 90 * time.Minute: "1h30m",
	} {
		if got := humanTime(d); got != want {
			t.Errorf("humanTime(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestLogWriteErrorIsReported(t *testing.T) {
	log := newLogFile(1, t.TempDir()+"/none/1.log")
	if err := log.append(0, []string{"x"}); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("append where no file can be: %v", err)
	}
}
