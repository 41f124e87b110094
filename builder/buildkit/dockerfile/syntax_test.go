package dockerfile

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
)

func TestBuiltInFrontends(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	for image, want := range map[string]bool{
		"docker/dockerfile": true, "docker/dockerfile:1": true, "docker/dockerfile:1.0": true, "docker/dockerfile:1.4.3": true,
		"docker/dockerfile:" + ourVersion(): true, "docker/dockerfile:" + ourVersion() + ".9": true, "docker/dockerfile:latest": true,
		"docker/dockerfile:labs": true, "docker/dockerfile:1-labs": true, "docker/dockerfile:1.7.0-labs": true,
		"docker/dockerfile:experimental": true, "docker/dockerfile:1.1.7-experimental": true, "docker/dockerfile:1.5.0-rc1-labs": true,
		"docker/dockerfile-upstream:master": true, "docker/dockerfile-upstream:master-labs": true, "docker/dockerfile-upstream:1.9": true,
		"docker.io/docker/dockerfile:1": true, "mirror.example/docker/dockerfile:1.4": true,
		"docker/dockerfile:1.3" + digest: true, "docker/dockerfile" + digest: true,

		"docker/dockerfile:1.999": false, "docker/dockerfile:2": false, "docker/dockerfile:1.999-labs": false, "docker/dockerfile:1.999" + digest: false,
		"docker/dockerfile:99999999999999999999": false, "docker/dockerfile:special": false, "docker/dockerfile:1.x": false,
		"docker/buildfile:1": false, "somebody/dockerfile:1": false, "mirror.example/proxy/docker/dockerfile:1": false, "dockerfile": false, "": false, "NO image": false,
	} {
		if got := builtIn(image); got != want {
			t.Errorf("%q: got %v, want %v", image, got, want)
		}
	}
}

func TestFrontendsOfTheOperator(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	for _, test := range []struct {
		entry, image string
		want         bool
	}{
		{"docker/dockerfile", "docker/dockerfile:2", true},
		{"docker/dockerfile", "docker.io/docker/dockerfile:2" + digest, true},
		{"docker/dockerfile:2", "docker/dockerfile:2", true},
		{"docker/dockerfile:2", "docker/dockerfile:3", false},
		{"docker/dockerfile:latest", "docker/dockerfile", true},
		{"docker/dockerfile" + digest, "docker/dockerfile:2" + digest, true},
		{"docker/dockerfile" + digest, "docker/dockerfile:2", false},
		{"docker/dockerfile", "somewhere.example/docker/dockerfile:2", false},
		{"somewhere.example/front", "somewhere.example/front/other:1", false},
	} {
		if err := checkFrontend(test.image, []string{"unrelated", test.entry}); (err == nil) != test.want {
			t.Errorf("%s for %s: got %v", test.entry, test.image, err)
		}
	}
}

// A frontend that asks for itself is asked no further, and is no source of errors.
func TestSyntaxLineIsNotTheErrorsPlace(t *testing.T) {
	i := newInterpreter(t, Config{})
	_, err := i.interpret(t.Context(), dockerfile("# syntax=docker/dockerfile:1\nARG A=1\n"))
	var mistake *MistakeError
	if !errors.As(err, &mistake) || strings.Contains(err.Error(), "syntax") || !strings.Contains(err.Error(), "no stages") {
		t.Errorf("got %v", err)
	}
}

// The child is not trusted with the operator's list.
func TestBridgeAllowsNoOtherFrontend(t *testing.T) {
	asked := false
	fake := dockerfile("# syntax=somewhere.example/front:1\nFROM scratch\n")
	fake.solve = func(r gateway.SolveRequest) (*gateway.Result, error) {
		asked = asked || r.Frontend != ""
		result := gateway.NewResult()
		result.SetRef(&fakeRef{files: fake.files})
		return result, nil
	}
	for _, frontends := range [][]string{nil, {"somewhere.example/front"}} {
		asked = false
		i := newInterpreter(t, Config{Frontends: frontends})
		if _, err := i.interpret(context.Background(), fake); (err == nil) != (frontends != nil) {
			t.Errorf("with %v: %v", frontends, err)
		}
		if asked != (frontends != nil) {
			t.Errorf("with %v: BuildKit was asked: %v", frontends, asked)
		}
	}
	fake.options["do"] = "frontend"
	if _, err := newInterpreter(t, Config{}).interpret(t.Context(), fake); err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("got %v", err)
	}
}

func TestDocsNameTheVersion(t *testing.T) {
	text, err := os.ReadFile("../../../docs/builds.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := "docker/dockerfile:" + ourVersion() + "`"; !strings.Contains(string(text), want) {
		t.Errorf("docs/builds.md lacks %s", want)
	}
}
