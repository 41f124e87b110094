package catalog

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestParsePushOptions(t *testing.T) {
	for _, c := range []struct {
		options string // one a line
		want    PushOptions
	}{
		{"", PushOptions{}},
		{"detach", PushOptions{Detach: true}},
		{"on-disconnect=cancel", PushOptions{CancelOnDisconnect: true}},
		{"no-cache\npull", PushOptions{Build: BuildOptions{NoCache: true, Pull: true}}},
		{"target=prod\nplatform=linux/arm64\ndockerfile=docker/Dockerfile\ncontext=src",
			PushOptions{Build: BuildOptions{Target: "prod", Platform: "linux/arm64", Dockerfile: "docker/Dockerfile", Context: "src"}}},
		{"build-arg=A=1\nbuild-arg=B=x=y\nbuild-arg=C=\nbuild-arg=A=2",
			PushOptions{Build: BuildOptions{Args: map[string]string{"A": "2", "B": "x=y", "C": ""}}}},
		{"target=a\ntarget=b", PushOptions{Build: BuildOptions{Target: "b"}}},
		{"build", PushOptions{BuildBranches: true}},
		{"no-build\ndetach", PushOptions{NoBuild: true, Detach: true}},
		{"skip", PushOptions{NoBuild: true}},
		{"test=check", PushOptions{Build: BuildOptions{Test: "check"}}},
		{"timestamps=commit", PushOptions{Build: BuildOptions{Timestamps: TimestampsCommit}}},
		{"context=..data/./x/", PushOptions{Build: BuildOptions{Context: "..data/./x/"}}},
	} {
		got, err := ParsePushOptions(lines(c.options))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %+v, %v, want %+v", c.options, got, err, c.want)
		}
	}
}

func TestParsePushOptionErrors(t *testing.T) {
	for options, says := range map[string]string{
		"verbose":                     `"verbose"; the options are: build, build-arg=NAME=VALUE, context=DIR, detach`,
		"Detach":                      "unknown push option",
		"detach\n=":                   "unknown push option",
		"detach=yes":                  "detach takes no value",
		"on-disconnect":               "on-disconnect=cancel",
		"on-disconnect=keep":          "keep",
		"target":                      "target needs a value",
		"test":                        "test needs a value",
		"platform=":                   "platform needs a value",
		"build-arg=A":                 "NAME=VALUE",
		"build-arg==1":                "is not a valid name",
		"build-arg=A B=1":             "is not a valid name",
		"build-arg=BUILDKIT_X=1":      "BUILDKIT_",
		"build-arg=buildkit_Inline=1": "not allowed",
		"dockerfile=/etc/passwd":      "inside the repository",
		"dockerfile=../Dockerfile":    "inside the repository",
		"dockerfile=a/../../b":        "inside the repository",
		"context=..":                  "inside the repository",
		"build\nskip":                 "exclude each other",
		"build=main":                  "build takes no value",
		"timestamps=now":              "must be epoch or commit",
		`context=a\b`:                 "inside the repository",
	} {
		_, err := ParsePushOptions(lines(options))
		wantCode(t, options, err, Invalid)
		if !strings.Contains(MessageOf(err), says) {
			t.Errorf("%q: %q does not say %q", options, MessageOf(err), says)
		}
	}
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

func TestOver(t *testing.T) {
	base := BuildOptions{NoCache: true, Args: map[string]string{"A": "base", "B": "base"}, Target: "base", Dockerfile: "base", Platform: "base"}
	push := BuildOptions{Pull: true, Args: map[string]string{"A": "push", "C": "push"}, Target: "push", Context: "push"}
	want := BuildOptions{NoCache: true, Pull: true, Args: map[string]string{"A": "push", "B": "base", "C": "push"},
		Target: "push", Dockerfile: "base", Platform: "base", Context: "push"}
	if got := push.WithDefaults(base); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if len(base.Args) != 2 || base.Args["A"] != "base" {
		t.Errorf("the base changed: %v", base.Args)
	}
	for _, c := range []BuildOptions{base, push, {}} {
		if got := c.WithDefaults(BuildOptions{}); !reflect.DeepEqual(got, c) {
			t.Errorf("over nothing: got %+v, want %+v", got, c)
		}
		if got := (BuildOptions{}).WithDefaults(c); !reflect.DeepEqual(got, c) {
			t.Errorf("nothing over: got %+v, want %+v", got, c)
		}
	}
}

func TestBuildOptionsAsJSON(t *testing.T) {
	empty, err := json.Marshal(BuildOptions{})
	if err != nil || string(empty) != "{}" {
		t.Errorf("got %s, %v, want {}: defaults are not stored", empty, err)
	}
}

func FuzzParsePushOptions(f *testing.F) {
	f.Add("detach\nbuild-arg=A=1\ncontext=a/b")
	f.Add("build-arg=BUILDKIT_X=1")
	f.Add("dockerfile=a/../../../etc/passwd")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := ParsePushOptions(lines(text))
		if err != nil {
			if CodeOf(err) != Invalid {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for name := range parsed.Build.Args {
			if name == "" || strings.HasPrefix(strings.ToUpper(name), "BUILDKIT_") {
				t.Errorf("%q lets %q through", text, name)
			}
		}
		for _, p := range []string{parsed.Build.Dockerfile, parsed.Build.Context} {
			depth := 0
			for _, part := range strings.Split(p, "/") {
				switch part {
				case "..":
					depth--
				case "", ".":
				default:
					depth++
				}
				if depth < 0 && strings.HasPrefix(p, "..") {
					t.Errorf("%q lets %q leave the tree", text, p)
				}
			}
			if depth < 0 || strings.HasPrefix(p, "/") {
				t.Errorf("%q lets %q leave the tree", text, p)
			}
		}
	})
}

func TestWhatAnImageSaysIsChecked(t *testing.T) {
	for _, c := range []struct {
		options BuildOptions
		fault   string
	}{
		{BuildOptions{Labels: "none"}, ""},
		{BuildOptions{Labels: "revision,source created, version"}, ""},
		{BuildOptions{Labels: "revision,none"}, `label "none" must be one of`},
		{BuildOptions{Labels: "title"}, `label "title" must be one of revision, source, created, version, or none alone`},
		{BuildOptions{Source: "https://git.example.com/a/b.git"}, ""},
		{BuildOptions{Source: "git@example.com:a/b"}, "must be the https:// URL"},
		{BuildOptions{Source: "https://user:secret@git.example.com/a"}, "without a user or password"},
		{BuildOptions{Source: "file:///etc"}, "must be the https:// URL"},
		{BuildOptions{Source: "https:///a"}, "must be the https:// URL"},
	} {
		err := c.options.Validate()
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(MessageOf(err), c.fault) {
			t.Errorf("%+v: %v, want %q", c.options, err, c.fault)
		}
	}
}
