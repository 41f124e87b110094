package builder

import (
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestWhySlow(t *testing.T) {
	for name, c := range map[string]struct {
		miss catalog.CacheMiss
		want string
	}{
		"files": {catalog.CacheMiss{Line: 3, Instruction: "COPY . .", Cause: catalog.MissFiles, Since: "v1", Files: []string{"a", "b", "c", "d"}, Changed: 9,
			Advice: catalog.Advice{Kind: catalog.AdviceCopyFirst, Line: 4, Copy: "COPY go.mod ./", Run: "RUN go mod download"}},
			"line 3, COPY . ., was not in the cache: a, b, c and 6 more changed since v1\nput COPY go.mod ./ and RUN go mod download before it, and line 4 right behind that"},
		"files nobody needs": {catalog.CacheMiss{Line: 3, Instruction: "COPY . .", Cause: catalog.MissFiles, Since: "v1", Files: []string{"README.md"}, Changed: 1, Advice: catalog.Advice{Kind: catalog.AdviceIgnore, Line: 3, Names: []string{"README.md"}}},
			"line 3, COPY . ., was not in the cache: README.md changed since v1\nif it does not need them, list them in .dockerignore"},
		"packages": {catalog.CacheMiss{Line: 2, Instruction: "COPY . .", Cause: catalog.MissFiles, Since: "v1", Files: []string{"a"}, Changed: 1, Advice: catalog.Advice{Kind: catalog.AdviceMoveUp, Line: 3}},
			"line 2, COPY . ., was not in the cache: a changed since v1\nmove line 3 above it"},
		"args": {catalog.CacheMiss{Line: 3, Instruction: "RUN make", Cause: catalog.MissArgs, Since: "v1", Args: []string{"A", "B"}, Advice: catalog.Advice{Kind: catalog.AdviceArgLater, Line: 3, Names: []string{"A", "B"}}},
			"line 3, RUN make, was not in the cache: build arg A, B changed since v1\ndeclare A, B by ARG behind it, if it does not use that"},
		"an instruction":    {catalog.CacheMiss{Line: 3, Instruction: "RUN make", Cause: catalog.MissInstruction, Since: "v1"}, "line 3, RUN make, was not in the cache: it is new or was changed since v1"},
		"without the cache": {catalog.CacheMiss{Line: 3, Instruction: "RUN make", Cause: catalog.MissNoCache}, "line 3, RUN make, was not in the cache: the build was asked for without the cache"},
		"another base": {catalog.CacheMiss{Line: 3, Instruction: "RUN make", Cause: catalog.MissBase, Since: "v1", BaseWas: "a@sha256:1", BaseIs: "a@sha256:2"},
			"line 3, RUN make, was not in the cache: its base image changed since v1, from a@sha256:1 to a@sha256:2"},
		"something else": {catalog.CacheMiss{Line: 3, Instruction: "RUN make", Cause: catalog.MissOther, Since: "v1"},
			"line 3, RUN make, was not in the cache: neither it nor its files changed since v1; the cache no longer had it, or a file of another image changed"},
	} {
		if got := strings.Join(whySlow(&c.miss), "\n"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func TestHowToAskAgain(t *testing.T) {
	signed := catalog.TagSignature{Kind: catalog.SignatureSSH, Verified: true}
	plain := catalog.TagSignature{Kind: catalog.SignatureNone}
	for _, c := range []struct {
		trigger     catalog.Trigger
		tag, object string
		signature   catalog.TagSignature
		branch      string
		signedAlone bool
		want        string
	}{
		{catalog.TriggerPush, "v1", "", catalog.TagSignature{}, "", false, "push v1 again (git tag -f v1 moves the tag to a new commit)"},
		{catalog.TriggerPush, "api/v1", "1", plain, "", false, "push api/v1 again (git tag -f -a api/v1 moves the tag to a new commit)"},
		{catalog.TriggerPush, "@acme/api@1.0+5", "1", signed, "", false, "push @acme/api@1.0+5 again (git tag -f -s @acme/api@1.0+5 moves the tag to a new commit)"},
		{catalog.TriggerPush, "v1", "", catalog.TagSignature{}, "", true, "push v1 again (git tag -f -s v1 moves the tag to a new commit)"},
		{catalog.TriggerPush, "", "", catalog.TagSignature{}, "main", false, "push a new commit of branch main, or rebuild version"},
		{catalog.TriggerPush, "", "", catalog.TagSignature{}, "main", true, ""},
		{catalog.TriggerUpload, "v1", "", catalog.TagSignature{}, "", false, "publish version again"},
		{catalog.TriggerUpload, "v1", "", catalog.TagSignature{}, "", true, ""},
		{catalog.TriggerGitHub, "web-v1", "", catalog.TagSignature{}, "", false, "push web-v1 to GitHub again (git tag -f web-v1 moves the tag to a new commit, git push -f replaces it there)"},
		{catalog.TriggerGitHub, "v1", "1", signed, "", false, "push v1 to GitHub again (git tag -f -s v1 moves the tag to a new commit, git push -f replaces it there)"},
		{catalog.TriggerGitHub, "", "", catalog.TagSignature{}, "main", false, "push a new commit of branch main to GitHub, or rebuild version"},
		{catalog.TriggerRebuild, "api/v1", "", catalog.TagSignature{}, "", false, "rebuild version, or push api/v1 again (git tag -f api/v1 moves the tag to a new commit)"},
		{catalog.TriggerRebuild, "v1", "1", plain, "", true, "rebuild version, or push v1 again (git tag -f -s v1 moves the tag to a new commit)"},
	} {
		build := catalog.Build{
			Trigger: c.trigger, Tag: c.tag, Version: "version", TagObject: c.object, Signature: c.signature,
			Options: catalog.BuildOptions{Branch: c.branch},
		}
		if got := askAgain(build, c.signedAlone); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c, got, c.want)
		}
	}
}
