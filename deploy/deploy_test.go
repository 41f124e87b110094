// Package deploy tests what an installation is made of. The tests that install and run it have the build tag deploy, and targets in
// the Makefile.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPackageNamesFilesThatExist leaves out what the Makefile makes in bin.
func TestPackageNamesFilesThatExist(t *testing.T) {
	var contents struct {
		Scripts  map[string]string
		Contents []struct{ Src, Dst, Type string }
	}
	if err := yaml.Unmarshal([]byte(read(t, "package/nfpm.yaml")), &contents); err != nil {
		t.Fatal(err)
	}
	files := []string{}
	for _, script := range contents.Scripts {
		files = append(files, script)
	}
	unit := read(t, "systemd/fandoghd.service")
	program := regexp.MustCompile(`(?m)^ExecStart=(\S+)`).FindStringSubmatch(unit)[1]
	provided := map[string]bool{}
	for _, c := range contents.Contents {
		provided[c.Dst] = true
		if c.Src != "" && !strings.HasPrefix(c.Src, "bin/") {
			files = append(files, c.Src)
		}
	}
	if len(files) < 10 {
		t.Errorf("saw only %d files", len(files))
	}
	for _, file := range files {
		file = strings.TrimSuffix(file, "*.md") // of a directory
		if _, err := os.Stat(filepath.Join("..", file)); err != nil {
			t.Errorf("the package names what is not there: %v", err)
		}
	}
	for _, needed := range []string{program, "/etc/fandogh/config.yaml", "/usr/lib/fandogh/buildkitd"} {
		if !provided[needed] {
			t.Errorf("the package lacks %s", needed)
		}
	}
}

func TestUnit(t *testing.T) {
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze")
	}
	// The program and its manual are not installed here.
	unit := strings.ReplaceAll(read(t, "systemd/fandoghd.service"), "/usr/bin/fandoghd", "/bin/true")
	unit = regexp.MustCompile(`(?m)^Documentation=.*\n`).ReplaceAllString(unit, "")
	file := filepath.Join(t.TempDir(), "fandoghd.service")
	if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(verify, "verify", "--man=no", file).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "fandoghd.service") {
			t.Error(line)
		}
	}
	if err != nil && t.Failed() {
		t.Error(err)
	}
}
