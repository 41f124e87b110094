package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// The scripts run the real program, which is this test binary under its own
// name, against the server of server_test.go. Each script has a user of its own,
// $USER with the password $PASSWORD, and a home directory of its own; $SERVER
// is the server's address.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fandogh": main})
}

func TestScripts(t *testing.T) {
	server := newTestServer(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			user := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(filepath.Base(env.WorkDir)))
			for name, value := range userEnv(env.WorkDir, server.url) {
				env.Setenv(name, value)
			}
			env.Setenv("USER", user)
			env.Setenv("PASSWORD", "password-of-"+user)
			_, err := server.accounts.CreateUser(t.Context(), user, "password-of-"+user, false)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    testkit.Exits,
			"newuser":  func(ts *testscript.TestScript, neg bool, args []string) { cmdNewUser(t, server, ts, neg, args) },
			"uploaded": func(ts *testscript.TestScript, neg bool, args []string) { cmdUploaded(server, ts, neg, args) },
			"json":     cmdJSON,
			"mode":     cmdMode,
		},
	})
}

// userEnv is the environment of one user's programs.
func userEnv(home, server string) map[string]string {
	return map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, ".config"), "GIT_CONFIG_NOSYSTEM": "1",
		"SERVER": server, "FANDOGH_SERVER": server, "TZ": "UTC", "TERM": "xterm",
	}
}

// newuser NAME: makes another user, whose password is password-of-NAME.
func cmdNewUser(t *testing.T, server *testServer, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: newuser NAME")
	}
	_, err := server.accounts.CreateUser(t.Context(), args[0], "password-of-"+args[0], false)
	ts.Check(err)
}

// uploaded NAMESPACE/IMAGE:VERSION: prints what the server received.
func cmdUploaded(server *testServer, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: uploaded NAMESPACE/IMAGE:VERSION")
	}
	text, err := server.listing(args[0])
	ts.Check(err)
	_, err = io.WriteString(ts.Stdout(), text)
	ts.Check(err)
}

// json PATH WANT: the last standard output is JSON with this text or number at a path
// such as 0.last_version.state.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: json PATH WANT")
	}
	var value any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &value); err != nil {
		ts.Fatalf("the output is no JSON: %v", err)
	}
	for step := range strings.SplitSeq(args[0], ".") {
		switch v := value.(type) {
		case []any:
			i, err := strconv.Atoi(step)
			if step == "length" {
				value = float64(len(v))
				continue
			}
			if err != nil || i >= len(v) {
				ts.Fatalf("no element %s of %d", step, len(v))
			}
			value = v[i]
		case map[string]any:
			field, ok := v[step]
			if !ok {
				ts.Fatalf("no field %s", step)
			}
			value = field
		default:
			ts.Fatalf("nothing below %v", v)
		}
	}
	if got := fmt.Sprint(value); got != args[1] {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

// mode WANT FILE: the file's mode as ls -l writes it.
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode WANT FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if info.Mode().String() != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], info.Mode(), args[0])
	}
}
