package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestPagesNameVerbsThatExist(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadDir("../../docs")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range docs {
		if page.IsDir() { // pictures
			continue
		}
		more, err := os.ReadFile("../../docs/" + page.Name())
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, more...)
	}
	named := regexp.MustCompile("(?m)(?:^    |`)fandogh ([^`\n]+)").FindAllStringSubmatch(string(text), -1)
	if len(named) < 15 {
		t.Fatalf("the pages name only %d verbs", len(named))
	}
	for _, m := range named {
		cmd, rest, err := newRootCommand(&app{getenv: os.Getenv}).Find(strings.Fields(m[1]))
		if err != nil {
			t.Errorf("a page says `fandogh %s`: %v", m[1], err)
			continue
		}
		err = cmd.ParseFlags(rest)
		help := err != nil && strings.Contains(err.Error(), "help requested")
		if err == nil && cmd.Args != nil {
			err = cmd.Args(cmd, cmd.Flags().Args())
		}
		if !help && (err != nil || cmd.HasSubCommands()) {
			t.Errorf("a page says `fandogh %s`: %v", m[1], err)
		}
	}
}
