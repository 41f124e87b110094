package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

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

func TestReadmeNamesVerbsThatExist(t *testing.T) {
	named := regexp.MustCompile("fandoghd ((?:serve|admin)[^`\n|)]*)").FindAllStringSubmatch(readme(t), -1)
	if len(named) < 3 {
		t.Fatalf("the README names only %d verbs", len(named))
	}
	for _, m := range named {
		cmd, rest, err := newRootCommand().Find(strings.Fields(m[1]))
		if err != nil || cmd.HasSubCommands() {
			t.Errorf("the README says `fandoghd %s`: %v", m[1], err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil && !strings.Contains(err.Error(), "help requested") {
			t.Errorf("the README says `fandoghd %s`: %v", m[1], err)
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
