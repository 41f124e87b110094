package testkit

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// CheckVerbs fails the test for each command below root that no line of the scripts in dirs runs, or none runs in vain.
func CheckVerbs(t *testing.T, root *cobra.Command, dirs ...string) {
	t.Helper()
	use := regexp.MustCompile(`(?:^|[^\w/.-])` + root.Name() + ` ([^|;&)]+)`)
	runs, refusals := map[*cobra.Command]int{}, map[*cobra.Command]int{}
	for _, dir := range dirs {
		files, err := os.ReadDir(dir)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d scripts, %v", dir, len(files), err)
		}
		for _, file := range files {
			text, err := os.ReadFile(filepath.Join(dir, file.Name()))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				for _, m := range use.FindAllStringSubmatch(line, -1) {
					cmd, _, err := root.Find(strings.Fields(m[1]))
					if err != nil {
						continue
					}
					runs[cmd]++
					if strings.HasPrefix(line, "! ") || strings.HasPrefix(line, "exits ") {
						refusals[cmd]++
					}
				}
			}
		}
	}
	root.InitDefaultHelpCmd()
	checkVerbs(t, root, runs, refusals)
}

func checkVerbs(t *testing.T, cmd *cobra.Command, runs, refusals map[*cobra.Command]int) {
	t.Helper()
	for _, child := range cmd.Commands() {
		switch {
		case child.HasSubCommands():
			checkVerbs(t, child, runs, refusals)
		case child.Name() == "help" || child.Hidden:
		case runs[child] == refusals[child]:
			t.Errorf("no script runs `%s` with success", child.CommandPath())
		case refusals[child] == 0:
			t.Errorf("no script gives `%s` what it refuses", child.CommandPath())
		}
	}
}
