package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func testApp() *app { return &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv} }

// every calls check for each command, the groups included.
func every(cmd *cobra.Command, check func(*cobra.Command)) {
	check(cmd)
	for _, child := range cmd.Commands() {
		every(child, check)
	}
}

func TestEveryCommandIsExplained(t *testing.T) {
	root := newRootCommand(testApp())
	seen := 0
	every(root, func(cmd *cobra.Command) {
		seen++
		path := cmd.CommandPath()
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s lacks Short, Long or Example", path)
		}
		if strings.HasSuffix(cmd.Short, ".") || len(cmd.Short) > 70 {
			t.Errorf("%s: Short is one line without full stop: %q", path, cmd.Short)
		}
		if cmd.Args == nil || cmd.RunE == nil {
			t.Errorf("%s lacks Args or RunE, so wrong arguments would not be refused", path)
		}
	})
	if seen < 25 {
		t.Errorf("saw only %d commands", seen)
	}
}

// TestExamplesParse finds the command of every example and lets it read the
// example's flags and arguments.
func TestExamplesParse(t *testing.T) {
	every(newRootCommand(testApp()), func(cmd *cobra.Command) {
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			_, words, found := strings.Cut(line, "fandogh ")
			if !found || strings.Contains(line, "<(") {
				continue
			}
			words, _, _ = strings.Cut(words, " | ")
			words, _, _ = strings.Cut(words, " > ")
			words, _, _ = strings.Cut(words, " < ")
			args := strings.Fields(strings.ReplaceAll(words, `"work laptop"`, "work-laptop"))
			found2, rest, err := newRootCommand(testApp()).Find(args)
			if err != nil {
				t.Errorf("%s: %q: %v", cmd.CommandPath(), line, err)
				continue
			}
			if err := found2.ParseFlags(rest); err != nil {
				t.Errorf("%s: %q: %v", cmd.CommandPath(), line, err)
			}
			if err := found2.ValidateArgs(found2.Flags().Args()); err != nil {
				t.Errorf("%s: %q: %v", cmd.CommandPath(), line, err)
			}
		}
	})
}

// TestManualFlags holds the commands of the published manual.
func TestManualFlags(t *testing.T) {
	for _, line := range []string{
		"image init --name x", "image init -n x", "image publish --version 1.0", "image publish -v 1.0", "image publish --version 1.0 -d",
		"image publish --version 1.0 --detach", "image publish -v 1 --with_timestamp", "image logs --image x --version 1", "image logs -i x -v 1",
		"image logs -i x -v 1 --with_timestamp -f", "image list", "image delete --image x", "image delete -i x", "image delete -i x -v 1",
		"image delete --name x", "image versions --image x", "image versions -i x", "image search x", "image inspect -i x -v 1",
		"image history -i x -v 1", "image rebuild -i x -v 1", "image cancel -i x -v 1", "login", "logout", "whoami", "completion bash",
		"key add f", "key list", "key delete 1", "token create -n x", "token list", "token delete 1", "namespace create x", "namespace list", "namespace members x",
	} {
		cmd, rest, err := newRootCommand(testApp()).Find(strings.Fields(line))
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if err != nil || cmd.HasSubCommands() {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	tests := []struct{ text, want string }{
		{"12h", "2030-02-01T00:00:00Z"},
		{"1d", "2030-02-01T12:00:00Z"},
		{"90d", "2030-05-01T12:00:00Z"},
		{"2030-01-31", "2030-01-31T23:59:59Z"},
		{"", "0001-01-01T00:00:00Z"},
	}
	for _, test := range tests {
		got, err := parseExpiry(test.text, now)
		if err != nil || got.Format(time.RFC3339) != test.want {
			t.Errorf("%q: got %v, %v, want %s", test.text, got, err, test.want)
		}
	}
	for _, wrong := range []string{"x", "d", "-1h", "-5d", "0d", "2030-01-30", "2030-13-01", "1.5d"} {
		if got, err := parseExpiry(wrong, now); err == nil {
			t.Errorf("%q: got %v", wrong, got)
		}
	}
}

func TestParseUnusedFor(t *testing.T) {
	now := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{"12h": "2030-01-31T00:00:00Z", "30d": "2030-01-01T12:00:00Z", "0s": "2030-01-31T12:00:00Z", "": "0001-01-01T00:00:00Z"} {
		if got, err := parseUnusedFor(text, now); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q: got %v, %v, want %s", text, got, err, want)
		}
	}
	for _, wrong := range []string{"x", "d", "-1h", "-5d", "1.5d"} {
		if got, err := parseUnusedFor(wrong, now); err == nil {
			t.Errorf("%q: got %v", wrong, got)
		}
	}
}

func TestPlainTakesTerminalControl(t *testing.T) {
	if got := plain("a\x1b[31mb\r\x07\u009bc\td\u202e"); strings.ContainsAny(got, "\x1b\r\x07\u009b") || !strings.Contains(got, "\t") {
		t.Errorf("got %q", got)
	}
}

// What is said may be by others: a server's message, a name in an archive.
func TestWhatIsSaidTakesTerminalControl(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "err"))
	if err != nil {
		t.Fatal(err)
	}
	a := &app{err: file, getenv: func(string) string { return "" }}
	a.say("one\n%s", "two\x1b[31m")
	a.sayError(errors.New("three\nfour\x1b[31m\rfive"))
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file.Name())
	if want := "one\ntwo\uFFFD[31m\nfandogh: three\nfour\uFFFD[31m\uFFFDfive\n"; err != nil || string(got) != want {
		t.Errorf("%q, want %q, %v", got, want, err)
	}
}

func TestOpenConnectionsAreTold(t *testing.T) {
	for server, want := range map[string]bool{
		"https://h/api": false, "http://h/api": true, "http://10.0.0.1:8080/api": true, "http://127.0.0.1:8080/api": false,
		"http://localhost/api": false, "http://[::1]:1/api": false, "https://10.0.0.1/api": false,
	} {
		if got := readableOnTheWay(server); got != want {
			t.Errorf("%s: got %t", server, got)
		}
	}
}

// TestRunsEverywhere builds the program for the systems that it is made for,
// without C, and holds it to what it may link.
func TestRunsEverywhere(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			environment := append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system)
			build := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, ".")
			build.Env = environment
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			list := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
			list.Env = environment
			out, err := list.Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, heavy := range []string{"go-sqlite3", "moby/buildkit", "go-git", "/catalog\n", "/catalog/rest", "net/http/pprof"} {
				if strings.Contains(string(out), heavy) {
					t.Errorf("it links %s", strings.TrimSpace(heavy))
				}
			}
		})
	}
}

func TestEveryCommandIsRunByAScript(t *testing.T) {
	testkit.CheckVerbs(t, newRootCommand(testApp()), "testdata/script", "../fandoghd/testdata/script")
}

// TestNoFlagHidesAnother: what is said of a flag for all commands must hold for each.
func TestNoFlagHidesAnother(t *testing.T) {
	root := newRootCommand(testApp())
	every(root, func(cmd *cobra.Command) {
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if root.PersistentFlags().Lookup(f.Name) != nil {
				t.Errorf("%s has a --%s of its own", cmd.CommandPath(), f.Name)
			}
		})
	})
}
