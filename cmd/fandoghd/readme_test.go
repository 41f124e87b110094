package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"github.com/fandoghpaas/fandogh/catalog"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are what users read: the README and docs, by name. The table of what clients do is made by a program.
func pages(t *testing.T) map[string]string {
	t.Helper()
	entries, err := os.ReadDir("../../docs")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"README.md": readme(t)}
	for _, entry := range entries {
		if name := entry.Name(); name != "compatibility.md" && !entry.IsDir() { // pictures
			text, err := os.ReadFile("../../docs/" + name)
			if err != nil {
				t.Fatal(err)
			}
			all["docs/"+name] = string(text)
		}
	}
	if len(all) < 5 {
		t.Fatalf("found only %d pages", len(all))
	}
	return all
}

func TestPagesFitATerminal(t *testing.T) {
	for name, text := range pages(t) {
		for i, line := range strings.Split(text, "\n") {
			if n := utf8.RuneCountInString(line); n >= 120 {
				t.Errorf("%s:%d has %d columns", name, i+1, n)
			}
		}
	}
}

// TestPagesLinkWhatExists also asks for the heading where a link names one.
func TestPagesLinkWhatExists(t *testing.T) {
	links := 0
	for name, text := range pages(t) {
		for _, m := range regexp.MustCompile(`\]\(([^):#]+)(?:#([^)]+))?\)`).FindAllStringSubmatch(text, -1) {
			links++
			target, err := os.ReadFile(filepath.Join("../..", filepath.Dir(name), m[1]))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			heading := regexp.MustCompile(`(?mi)^#+ ` + strings.ReplaceAll(regexp.QuoteMeta(m[2]), "-", " ") + `$`)
			if m[2] != "" && !heading.Match(target) {
				t.Errorf("%s: %s has no heading %q", name, m[1], m[2])
			}
		}
	}
	if links < 10 {
		t.Errorf("saw only %d links", links)
	}
}

// TestPagesNameSettingsThatExist looks at words like `http.public_url`.
func TestPagesNameSettingsThatExist(t *testing.T) {
	data, err := os.ReadFile("../../deploy/config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var example map[string]any
	if err := yaml.Unmarshal(data, &example); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, text := range pages(t) {
		for _, m := range regexp.MustCompile("`([a-z]+)((?:\\.[a-z_]+)+)").FindAllStringSubmatch(text, -1) {
			at, ok := example[m[1]].(map[string]any)
			if !ok || strings.HasSuffix(m[2], ".yaml") {
				continue
			}
			seen++
			path := strings.Split(m[2][1:], ".")
			for i, key := range path {
				value, ok := at[key]
				at, _ = value.(map[string]any)
				if !ok || i < len(path)-1 && at == nil {
					t.Errorf("%s names the setting %s%s, which the example configuration lacks", name, m[1], m[2])
					break
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("saw only %d settings", seen)
	}
}

func TestReadmeNamesMakeTargetsThatExist(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?m)(?:^    |`)make ([a-z-]+)").FindAllStringSubmatch(readme(t), -1)
	if len(named) < 4 {
		t.Fatalf("the README names only %d make targets", len(named))
	}
	for _, m := range named {
		if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
			t.Errorf("the README says `make %s`, which the Makefile lacks", m[1])
		}
	}
}

func TestPagesNameVerbsThatExist(t *testing.T) {
	named := regexp.MustCompile("fandoghd ((?:serve|admin [a-z])[^`\n|)]*)").FindAllStringSubmatch(strings.Join(slices.Collect(maps.Values(pages(t))), "\n"), -1)
	if len(named) < 15 {
		t.Fatalf("the pages name only %d verbs", len(named))
	}
	for _, m := range named {
		cmd, rest, err := newRootCommand().Find(strings.Fields(m[1]))
		if err != nil || cmd.HasSubCommands() && cmd.Name() != "signing-key" { // which does something by itself, too
			t.Errorf("a page says `fandoghd %s`: %v", m[1], err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil && !strings.Contains(err.Error(), "help requested") {
			t.Errorf("a page says `fandoghd %s`: %v", m[1], err)
		}
	}
}

func TestReadmeNamesThePushOptions(t *testing.T) {
	_, err := catalog.ParsePushOptions([]string{"unknown"})
	if err == nil {
		t.Fatal("an unknown option is taken")
	}
	_, list, _ := strings.Cut(err.Error(), "are: ")
	for option := range strings.SplitSeq(list, ", ") {
		if !strings.Contains(readme(t), "`"+option+"`") {
			t.Errorf("the README lacks the push option %s", option)
		}
	}
}
