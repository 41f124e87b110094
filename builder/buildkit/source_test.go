//go:build linux

package buildkit

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	copyAll   = "FROM scratch\nCOPY . /all/\n"
	linkMode  = fs.ModeSymlink | 0o777
	utf16Text = "\xff\xfeF\x00R\x00O\x00M\x00"
)

// What BuildKit reads beside the context may be a link to a file of the commit,
// and may begin as some editors write it.
func TestControlFilesAsTheyAre(t *testing.T) {
	for name, test := range map[string]struct {
		files   map[string]string
		links   map[string]string
		options catalog.BuildOptions
	}{
		"linked Dockerfile":                {files: map[string]string{"docker/real": copyAll}, links: map[string]string{"Dockerfile": "docker/real"}},
		"Dockerfile in a linked directory": {files: map[string]string{"docker/Dockerfile": copyAll}, links: map[string]string{"d": "docker"}, options: catalog.BuildOptions{Dockerfile: "d/Dockerfile"}},
		"Dockerfile outside the context": {files: map[string]string{"docker/real": copyAll, "app/kept": "x", "app/.dockerignore": "secret", "app/secret": "x"},
			links: map[string]string{"app/Dockerfile": "../docker/real"}, options: catalog.BuildOptions{Context: "app"}},
		"linked context":       {files: map[string]string{"app/Dockerfile": copyAll, "app/kept": "x"}, links: map[string]string{"now": "app"}, options: catalog.BuildOptions{Context: "now"}},
		"linked ignore file":   {files: map[string]string{"Dockerfile": copyAll, "docker/ignore": "secret", "secret": "x"}, links: map[string]string{".dockerignore": "docker/ignore"}},
		"mark and CR LF":       {files: map[string]string{"Dockerfile": "\xef\xbb\xbf" + strings.ReplaceAll(copyAll, "\n", "\r\n"), ".dockerignore": "\xef\xbb\xbfsecret\r\n", "secret": "x"}},
		"the Dockerfile's own": {files: map[string]string{"Dockerfile": copyAll, "Dockerfile.dockerignore": "secret", "secret": "x"}, links: map[string]string{".dockerignore": "nowhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			tree := buildkittest.NewTree(test.files).Add("kept", "x", 0o644)
			for link, target := range test.links {
				tree.Add(link, target, linkMode)
			}
			r := env.Request("ann", "control", "1.0", tree)
			r.Options = test.options
			env.Solve(t, r)
			files := env.ImageFiles(t, r)
			if _, ignored := files["all/secret"]; files["all/kept"] != "x" || ignored {
				t.Errorf("the image holds %q", slices.Sorted(maps.Keys(files)))
			}
		})
	}
}

func TestControlFilesThatCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct {
		files   map[string]string
		links   map[string]string
		options catalog.BuildOptions
		want    string
	}{
		"Dockerfile in UTF-16":      {files: map[string]string{"Dockerfile": utf16Text}, want: "Dockerfile is encoded in UTF-16; save it as UTF-8"},
		"ignore file in UTF-16":     {files: map[string]string{"Dockerfile": copyAll, ".dockerignore": utf16Text}, want: ".dockerignore is encoded in UTF-16"},
		"own ignore file in UTF-16": {files: map[string]string{"Dockerfile": copyAll, "Dockerfile.dockerignore": utf16Text}, want: "Dockerfile.dockerignore is encoded in UTF-16"},
		"Dockerfile to nowhere":     {links: map[string]string{"Dockerfile": "docker/real"}, want: "Dockerfile is a symbolic link to docker/real, which is not a file in this build; commit that file"},
		"ignore file to nowhere":    {files: map[string]string{"Dockerfile": copyAll}, links: map[string]string{".dockerignore": "ignore"}, want: ".dockerignore is a symbolic link to ignore, which"},
		"own ignore file to nowhere": {files: map[string]string{"Dockerfile": copyAll, ".dockerignore": "secret"}, links: map[string]string{"Dockerfile.dockerignore": "ignore"},
			want: "Dockerfile.dockerignore is a symbolic link to ignore, which"},
		"ignore file out of the context": {files: map[string]string{"app/Dockerfile": copyAll, "ignore": "secret"}, links: map[string]string{"app/.dockerignore": "../ignore"},
			options: catalog.BuildOptions{Context: "app"}, want: "app/.dockerignore is a symbolic link to ../ignore, which"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := buildkittest.NewTree(test.files).Add("kept", "x", 0o644)
			for link, target := range test.links {
				tree.Add(link, target, linkMode)
			}
			r := env.Request("ann", "control", "2.0", tree)
			r.Options = test.options
			failure, _ := env.SolveError(t, r)
			if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, test.want) {
				t.Errorf("got %s: %q, want %q in it", failure.Outcome, failure.Message, test.want)
			}
		})
	}
}
