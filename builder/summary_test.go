package builder

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

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
