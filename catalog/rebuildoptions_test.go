package catalog

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestChangedBy(t *testing.T) {
	last := BuildOptions{NoCache: true, Args: map[string]string{"A": "1", "B": "2"}, Target: "prod", Branch: "main", KeepGit: true}
	for _, c := range []struct {
		options string // one a line
		want    BuildOptions
	}{
		{"", last},
		{"no-cache=false\npull", BuildOptions{Pull: true, Args: last.Args, Target: "prod", Branch: "main", KeepGit: true}},
		{"build-arg=A\nbuild-arg=C=x=y\nbuild-arg=B=", BuildOptions{NoCache: true, Args: map[string]string{"B": "", "C": "x=y"}, Target: "prod", Branch: "main", KeepGit: true}},
		{"target=\ntest=check\nplatform=linux/arm64\ndockerfile=d/Dockerfile\ncontext=d\ntimestamps=commit\nno-cache=true\nbuild-arg=none",
			BuildOptions{NoCache: true, Args: last.Args, Test: "check", Platform: "linux/arm64", Dockerfile: "d/Dockerfile", Context: "d", Timestamps: "commit", Branch: "main", KeepGit: true}},
	} {
		got, err := last.ChangedBy(lines(c.options))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %+v, %v, want %+v", c.options, got, err, c.want)
		}
	}
	if last.Args["A"] != "1" || len(last.Args) != 2 {
		t.Errorf("what was asked for before changed: %v", last.Args)
	}
	if got, err := (BuildOptions{}).ChangedBy([]string{"build-arg=A=1"}); err != nil || got.Args["A"] != "1" {
		t.Errorf("the first arg: %+v, %v", got, err)
	}
}

func TestChangedByErrors(t *testing.T) {
	for option, says := range map[string]string{
		"detach":                 "the options are: build-arg=NAME=VALUE, context=DIR, dockerfile=PATH, no-cache, platform=OS/ARCH,..., pull",
		"":                       "unknown option",
		"on-disconnect=cancel":   "unknown option",
		"no-cache=yes":           "no-cache=false",
		"pull=":                  "pull=false",
		"target":                 "target= takes it back",
		"build-arg":              "NAME=VALUE",
		"build-arg=BUILDKIT_X=1": "BUILDKIT_",
		"build-arg=BUILDKIT_X":   "BUILDKIT_",
		"build-arg=A=1\n2":       "line break",
		"dockerfile=../x":        "inside the repository",
		"timestamps=now":         "must be epoch or commit",
	} {
		_, err := BuildOptions{}.ChangedBy([]string{option})
		wantCode(t, option, err, Invalid)
		if !strings.Contains(MessageOf(err), says) {
			t.Errorf("%q: %q does not say %q", option, MessageOf(err), says)
		}
	}
}

// Rebuilds that each add some end where one build has too much.
func TestBuildArgsAreBounded(t *testing.T) {
	o := BuildOptions{}
	for n := range maxBuildArgs {
		o.setArg(fmt.Sprint("A", n), "")
	}
	if got, err := o.ChangedBy([]string{"build-arg=A1=2"}); err != nil || len(got.Args) != maxBuildArgs {
		t.Errorf("%d args: %v", len(got.Args), err)
	}
	_, err := o.ChangedBy([]string{"build-arg=B=1"})
	wantCode(t, "too many", err, Invalid)
	_, err = BuildOptions{}.ChangedBy([]string{"build-arg=A=" + strings.Repeat("x", maxBuildArgBytes/2), "build-arg=B=" + strings.Repeat("x", maxBuildArgBytes/2)})
	wantCode(t, "too large", err, Invalid)
}

// What is shown of a build's options is what asks for them again.
func TestWords(t *testing.T) {
	all := BuildOptions{NoCache: true, Pull: true, Args: map[string]string{"B": "x=y", "A": ""}, Target: "t", Test: "c", Platform: "linux/amd64", Dockerfile: "d", Context: "x", Timestamps: "epoch"}
	got, err := BuildOptions{}.ChangedBy(all.Words(true))
	if err != nil || !reflect.DeepEqual(got, all) {
		t.Errorf("got %+v, %v, want %+v", got, err, all)
	}
	if shown := strings.Join(all.Words(false), " "); strings.Contains(shown, "x=y") || !strings.Contains(shown, "build-arg=B ") || !slices.IsSorted(all.Words(false)) {
		t.Errorf("to those who may not know values: %s", shown)
	}
}
