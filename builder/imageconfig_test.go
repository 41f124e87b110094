package builder

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestConfiguredImages(t *testing.T) {
	file := `build:
  args: {A: all, B: all}
  platform: linux/arm64
images:
  - name: api
    context: services/api
    args: {A: 1.10}
    target: slim
    paths: [services/api/**, "!**/*.md", go.*]
  - {name: Web, dockerfile: docker/web, tag_prefix: "web-", paths: web}
`
	config, err := parseRepositoryConfig("config.yml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Same(t, "entries", config.entries(), []catalog.ImageEntry{{Name: "api", Context: "services/api"}, {Name: "Web", TagPrefix: "web-"}})
	testkit.Same(t, "paths", [][]string{config.images[0].paths, config.images[1].paths}, [][]string{{"services/api/**", "!**/*.md", "go.*"}, {"web"}})
	both := map[string]string{"A": "all", "B": "all"}
	for image, want := range map[string]catalog.BuildOptions{
		"api":   {Context: "services/api", Target: "slim", Platform: "linux/arm64", Args: map[string]string{"A": "1.10", "B": "all"}},
		"web":   {Dockerfile: "docker/web", Platform: "linux/arm64", Args: both},
		"other": {Platform: "linux/arm64", Args: both},
	} {
		testkit.Same(t, image, config.listed(image).options, want)
	}
}

func TestImagesThatCannotBe(t *testing.T) {
	many := "images:\n" + strings.Repeat("- {name: a}\n", catalog.MaxImages+1)
	for file, fault := range map[string]string{
		"images: [a]":                                "line 1",
		"images: {a: {context: a}}":                  "line 1",
		"images: ! ":                                 "not valid YAML",
		"images: text":                               "line 1",
		"images: [{}]":                               "an image needs a name",
		"images:\n- {name: a}\n- {name: A}\n":        "line 3: image A is listed twice, first in line 2",
		"images:\n- name: a\n  path: [x]\n":          `line 3: unknown key "path" under images; the keys are: args, context, dockerfile, name, paths, platform, tag_prefix, target`,
		"images: [{name: a, paths: ['a[']}]":         `paths pattern "a[" is not valid; write it as in a .dockerignore`,
		"images: [{name: a, paths: [b, '!']}]":       `paths pattern "!" is not valid`,
		"images: [{name: a, paths: '!docs'}]":        "paths only has patterns with '!'",
		"images: [{name: a, paths: {b: c}}]":         "line 1",
		"images: [{name: a, paths: ''}]":             `paths pattern "" is not valid`,
		"images: [{name: a, context: /etc}]":         "must be a path inside the repository",
		"images: [{name: a, dockerfile: ../../x}]":   "must be a path inside the repository",
		"images: [{name: a, args: {BUILDKIT_X: y}}]": "BUILDKIT_* settings belong to the server",
		"images: [{name: a, args: {A: [y]}}]":        "build arg A must be text",
		"images: [{name: a, tag_prefix: 'a b'}]":     "tag_prefix",
		"images: [{name: a}, null]":                  "lists an image without a name",
		many:                                         fmt.Sprintf("lists %d images; one repository is built as %d at most", catalog.MaxImages+1, catalog.MaxImages),
	} {
		_, err := readRepositoryConfig(fstest.MapFS{configNames[0]: {Data: []byte(file)}})
		if catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), fault) || strings.Contains(catalog.MessageOf(err), "\n") {
			t.Errorf("%.60q: %v, want %q", file, err, fault)
		}
	}
}
