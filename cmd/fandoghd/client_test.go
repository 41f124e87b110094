package main

import (
	"archive/zip"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// fandoghOnPath builds the client and puts it first on PATH. Where there is no Go, as in the machine of `make machine-test`,
// scripts do without.
func fandoghOnPath(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		return
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir, "../fandogh").CombinedOutput(); err != nil {
		t.Fatalf("build the client: %v\n%s", err, out)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// zip FILE DIR: packs what is in DIR.
func cmdZip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: zip FILE DIR")
	}
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	w := zip.NewWriter(file)
	ts.Check(w.AddFS(os.DirFS(ts.MkAbs(args[1]))))
	ts.Check(w.Close())
	ts.Check(file.Close())
}

var (
	timedLine = regexp.MustCompile(`^\[(\d+):(\d\d\.\d{3})\] #(\d+) (.*)$`)
	doneLine  = regexp.MustCompile(`^done (\d+\.\d)s$`)
)

// steps LOG DETAIL NAME: in LOG, with timestamps, the step whose name has NAME in
// it took as long as DETAIL, the version's JSON, says: by the difference
// between its two lines, and by its own words.
func cmdSteps(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: steps LOG DETAIL NAME")
	}
	var detail api.VersionDetail
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &detail))
	recorded := time.Duration(-1)
	for _, step := range detail.Builds[0].Steps {
		if strings.Contains(step.Name, args[2]) {
			recorded = time.Duration(step.Millis) * time.Millisecond
		}
	}
	if recorded < 0 {
		ts.Fatalf("no step is called %s", args[2])
	}
	between, said := stepTimes(ts, ts.ReadFile(args[0]), args[2])
	for what, shown := range map[string]time.Duration{"its lines' times": between, "its last line": said} {
		// Lines are rounded to a tenth of a second, records to milliseconds.
		if d := shown - recorded; math.Abs(d.Seconds()) > 0.1 {
			ts.Fatalf("step %s took %s by the record and %s by %s", args[2], recorded, shown, what)
		}
	}
}

// stepTimes reads how long a step took out of a log.
func stepTimes(ts *testscript.TestScript, log, name string) (between, said time.Duration) {
	number, began := "", time.Duration(0)
	for line := range strings.Lines(log) {
		m := timedLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		at, err := time.ParseDuration(m[1] + "m" + m[2] + "s")
		ts.Check(err)
		if number == "" && strings.Contains(m[4], name) {
			number, began = m[3], at
		}
		if done := doneLine.FindStringSubmatch(m[4]); m[3] == number && done != nil {
			said, err = time.ParseDuration(done[1] + "s")
			ts.Check(err)
			return at - began, said
		}
	}
	ts.Fatalf("the log does not tell how long %s took", name)
	return 0, 0
}

// busybox DIR: puts a static busybox into DIR.
func cmdBusybox(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: busybox DIR")
	}
	path, err := exec.LookPath("busybox")
	ts.Check(err)
	binary, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), "busybox"), binary, 0o755))
}
