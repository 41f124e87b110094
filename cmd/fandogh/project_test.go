package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestSetImageKeepsTheRest(t *testing.T) {
	tests := []struct{ name, old, want string }{
		{"no file", "", "image.name: shop\n"},
		{"as the Python client leaves it", "image.name: old\n", "image.name: shop\n"},
		{"only comments", "# nothing yet", "# nothing yet\nimage.name: shop\n"},
		{"in braces", "{a: b}\n", "{a: b, image.name: shop}\n"},
		{"other keys", "build:\n  args:\n    A: b # why\n# end\nz: [1, 2]\n", "build:\n  args:\n    A: b # why\n# end\nz: [1, 2]\nimage.name: shop\n"},
		{"quoted key and a comment", "a: 1\n\"image.name\": 'x' # c\nb: 2\n", "a: 1\n\"image.name\": shop # c\nb: 2\n"},
		{"no line end", "a: 1", "a: 1\nimage.name: shop\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := setImage([]byte(test.old), "shop")
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			var p project
			if err := yaml.Unmarshal(got, &p); err != nil || p.image() != "shop" {
				t.Errorf("read back %q, %v", p.image(), err)
			}
		})
	}
	for _, broken := range []string{"- a\n- b\n", "just text\n", "a: [\n"} {
		if got, err := setImage([]byte(broken), "shop"); err == nil {
			t.Errorf("%q became %q", broken, got)
		}
	}
	for _, value := range []string{"true", "1.0", "a: b", "#x", "", "null"} {
		got, err := setImage(nil, value)
		if err != nil {
			t.Fatal(err)
		}
		var p project
		if err := yaml.Unmarshal(got, &p); err != nil || p.Image != value {
			t.Errorf("%q was read back as %q, %v from %s", value, p.Image, err, got)
		}
	}
}

// A second file would have the server refuse both.
func TestProjectFileUnderTheOtherName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".fandogh", "config.yaml")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("\xef\xbb\xbfimage.name: old\r\nbuild: {context: app}\r\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := saveImage(dir, "shop"); err != nil {
		t.Fatal(err)
	}
	if p, err := readProject(dir); err != nil || p.image() != "shop" || p.Build.Context != "app" {
		t.Errorf("read %+v, %v", p, err)
	}
	if _, err := os.Stat(filepath.Join(dir, projectFile)); err == nil {
		t.Errorf("%s was written too", projectFile)
	}
}

// FuzzSetImage takes any file: the result holds the name, and what it held.
func FuzzSetImage(f *testing.F) {
	for _, seed := range []string{"", "a: 1\n", "# c\nbuild:\n  args: {A: b}\n", "image.name: x # c\n", "- a\n", "{a: b}\n", "a: |\n  text\n", "---\na: 1\n", "a: &x 1\nb: *x\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, old string) {
		var before map[string]any
		if err := yaml.Unmarshal([]byte(old), &before); err != nil {
			t.Skip("no YAML mapping")
		}
		got, err := setImage([]byte(old), "shop")
		if err != nil {
			t.Skip("refused")
		}
		var after map[string]any
		if err := yaml.Unmarshal(got, &after); err != nil || after[imageKey] != "shop" {
			t.Fatalf("%q became %q: %v", old, got, err)
		}
		for key, value := range before {
			if key != imageKey && fmt.Sprint(after[key]) != fmt.Sprint(value) {
				t.Errorf("%q became %q: %s is %v", old, got, key, after[key])
			}
		}
	})
}
