package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// plant makes files in a new directory: content by name; "-> target" is a link.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(content, "-> "); link {
			err = os.Symlink(target, file)
		} else {
			err = os.WriteFile(file, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestIgnoreRules(t *testing.T) {
	tests := []struct {
		name    string
		files   string // all empty but those in ignore
		ignore  map[string]string
		project project
		sent    string
	}{
		{"nothing ignored", "Dockerfile a b/c", nil, project{}, "Dockerfile a b/c"},
		{"a file", "Dockerfile a b", map[string]string{".dockerignore": "a"}, project{}, ".dockerignore Dockerfile b"},
		{"a directory", "Dockerfile node_modules/x/y src/node_modules/z", map[string]string{".dockerignore": "node_modules"}, project{},
			".dockerignore Dockerfile src/node_modules/z"},
		{"at any depth", "Dockerfile a.log b/c.log d", map[string]string{".dockerignore": "**/*.log"}, project{}, ".dockerignore Dockerfile d"},
		{"one star stays in its directory", "Dockerfile a.log b/c.log", map[string]string{".dockerignore": "*.log"}, project{}, ".dockerignore Dockerfile b/c.log"},
		{"comments, blanks, slashes and a byte order mark", "Dockerfile a b c", map[string]string{".dockerignore": "\ufeff# no\n\n /a \n./b/\n"}, project{},
			".dockerignore Dockerfile c"},
		{"an exception", "Dockerfile a.md README.md", map[string]string{".dockerignore": "*.md\n!README.md"}, project{}, ".dockerignore Dockerfile README.md"},
		{"an exception below an ignored directory", "Dockerfile docs/a docs/deep/b", map[string]string{".dockerignore": "docs\n!docs/deep/b"}, project{},
			".dockerignore Dockerfile docs/deep/b"},
		{"an exception by pattern below an ignored directory", "Dockerfile docs/a docs/deep/b.md", map[string]string{".dockerignore": "docs\n!**/*.md"}, project{},
			".dockerignore Dockerfile docs/deep/b.md"},
		{"the last rule wins", "Dockerfile a", map[string]string{".dockerignore": "a\n!a\na"}, project{}, ".dockerignore Dockerfile"},
		{"what the build reads stays", "Dockerfile a", map[string]string{".dockerignore": "*", ".fandoghignore": "**"}, project{}, ".dockerignore Dockerfile"},
		{"our own ignore file", "Dockerfile a b", map[string]string{".fandoghignore": "a"}, project{}, ".fandoghignore Dockerfile b"},
		{"both", "Dockerfile a b c", map[string]string{".dockerignore": "a", ".fandoghignore": "b\n!a"}, project{}, ".dockerignore .fandoghignore Dockerfile c"},
		{"never .git, in any case", "Dockerfile .git/config sub/.git mod/.GIT/x .gitignore", nil, project{}, ".gitignore Dockerfile"},
		{"not even as an exception", "Dockerfile .git/config", map[string]string{".dockerignore": "!.git"}, project{}, ".dockerignore Dockerfile"},
		{"the Dockerfile's own ignore file", "Dockerfile a b", map[string]string{".dockerignore": "a", "Dockerfile.dockerignore": "b"}, project{},
			".dockerignore Dockerfile Dockerfile.dockerignore a"},
		{"a Dockerfile elsewhere", "deploy/image deploy/other a", map[string]string{".dockerignore": "deploy"}, paths("deploy/image", ""), ".dockerignore a deploy/image"},
		{"a context elsewhere", "app/Dockerfile app/a app/b a", map[string]string{"app/.dockerignore": "a", ".dockerignore": "*"}, paths("", "app"),
			".dockerignore a app/.dockerignore app/Dockerfile app/b"},
		{"a Dockerfile in lower case", "dockerfile a", map[string]string{".dockerignore": "*"}, project{}, ".dockerignore dockerfile"},
		{"the build's options", "Dockerfile .fandogh/config.yml .fandogh/x", map[string]string{".fandoghignore": ".fandogh"}, project{},
			".fandogh/config.yml .fandoghignore Dockerfile"},
		{"the build's options under the other name", "Dockerfile .fandogh/config.yaml .fandogh/x", map[string]string{".fandoghignore": ".fandogh"}, project{},
			".fandogh/config.yaml .fandoghignore Dockerfile"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{}
			for _, name := range strings.Fields(test.files) {
				files[name] = ""
			}
			for name, text := range test.ignore {
				files[name] = text
			}
			w, err := openWorkspace(plant(t, files), test.project)
			if err != nil {
				t.Fatal(err)
			}
			var sent []string
			for _, file := range w.files {
				sent = append(sent, file.name)
			}
			if got := strings.Join(sent, " "); got != test.sent {
				t.Errorf("sent %s\nwant %s", got, test.sent)
			}
		})
	}
}

func paths(dockerfile, context string) project {
	var p project
	p.Build.Dockerfile, p.Build.Context = dockerfile, context
	return p
}

func TestWorkspaceFaults(t *testing.T) {
	tests := []struct {
		name    string
		files   map[string]string
		project project
		want    string
	}{
		{"no Dockerfile", map[string]string{"a": ""}, project{}, "there is no Dockerfile in this directory"},
		{"none where it is said to be", map[string]string{"Dockerfile": ""}, paths("deploy/Dockerfile", ""), "there is no deploy/Dockerfile"},
		{"a directory of that name", map[string]string{"Dockerfile/a": ""}, project{}, "there is no Dockerfile"},
		{"a path that leaves the directory", map[string]string{"Dockerfile": ""}, paths("../Dockerfile", ""), `"../Dockerfile", which is not a path inside`},
		{"a context that leaves it", map[string]string{"Dockerfile": ""}, paths("Dockerfile", "/etc"), `"/etc", which is not a path inside`},
		{"a broken pattern", map[string]string{"Dockerfile": "", ".dockerignore": "["}, project{}, ".dockerignore: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := openWorkspace(plant(t, test.files), test.project)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if code := exitCode(context.Background(), err); code != 101 {
				t.Errorf("exit status %d, want 101", code)
			}
		})
	}
}

func TestZipKeepsContentModesAndLinks(t *testing.T) {
	files := map[string]string{"Dockerfile": "FROM scratch\n", "bin/run": "#!/bin/sh\n", "link": "-> bin/run", "out": "-> ../../etc/passwd", "empty": "", "a-b": "1", "a/b": "2", "سلام": "peace"}
	var archives [2][]byte
	for i := range archives {
		dir := plant(t, files)
		if err := os.Chmod(filepath.Join(dir, "bin/run"), 0o755); err != nil {
			t.Fatal(err)
		}
		w, err := openWorkspace(dir, project{})
		if err != nil {
			t.Fatal(err)
		}
		var archive, read bytes.Buffer
		if err := w.writeZip(t.Context(), &archive, &read); err != nil {
			t.Fatal(err)
		}
		if int64(read.Len()) != w.size {
			t.Errorf("read %d bytes, counted %d", read.Len(), w.size)
		}
		archives[i] = archive.Bytes()
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("equal directories made different archives")
	}
	got, err := zipListing(archives[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `-rw-r--r-- Dockerfile "FROM scratch\n"
-rw-r--r-- a/b "2"
-rw-r--r-- a-b "1"
-rwxr-xr-x bin/run "#!/bin/sh\n"
-rw-r--r-- empty ""
Lrwxrwxrwx link "bin/run"
Lrwxrwxrwx out "../../etc/passwd"
-rw-r--r-- سلام "peace"
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestZipFailsOnFilesThatGo(t *testing.T) {
	dir := plant(t, map[string]string{"Dockerfile": "", "gone": ""})
	w, err := openWorkspace(dir, project{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	err = w.writeZip(t.Context(), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "send gone: ") {
		t.Errorf("got %v", err)
	}
}
