package catalog_test

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestWhatSignedTagsNeed(t *testing.T) {
	none := catalog.TagSignature{Kind: catalog.SignatureNone}
	for _, c := range []struct {
		build catalog.NewBuild
		want  string // behind the first colon; empty: accepted
	}{
		{catalog.NewBuild{Signature: catalog.TagSignature{Kind: catalog.SignatureSSH, Verified: true}}, ""},
		{catalog.NewBuild{Trigger: catalog.TriggerPush, Version: "v1"}, "v1 is not annotated; make it again with git tag -f -s v1, then push it"},
		{catalog.NewBuild{Trigger: catalog.TriggerPush, Version: "v1", Tag: "api/v1"}, "api/v1 is not annotated; make it again with git tag -f -s api/v1, then push it"},
		{catalog.NewBuild{Trigger: catalog.TriggerRebuild, Tag: "api@1", TagObject: "1", Signature: none}, "api@1 is not signed; make it again with git tag -f -s api@1, then push it"},
		{catalog.NewBuild{Trigger: catalog.TriggerGitHub, Tag: "web-v1"}, "web-v1 is not annotated; make it again with git tag -f -s web-v1, then push it to GitHub with git push -f"},
		{catalog.NewBuild{Trigger: catalog.TriggerPush, Tag: "v1", TagObject: "1", Signature: catalog.TagSignature{Kind: catalog.SignatureSSH, Reason: "of nobody"}}, "v1 is not verified: of nobody"},
		{catalog.NewBuild{Trigger: catalog.TriggerUpload, Tag: "v1"}, "an upload has none; push a tag that is made with git tag -s"},
		{catalog.NewBuild{Trigger: catalog.TriggerRegistry, Tag: "v1"}, "an image that is pushed has none; push a tag that is made with git tag -s"},
		{catalog.NewBuild{Trigger: catalog.TriggerGitHub, Tag: "m-1", Options: catalog.BuildOptions{Branch: "m"}}, "a branch has none; push a tag that is made with git tag -s"},
	} {
		want := "ann/app takes only tags that a member has signed: " + c.want
		if c.want == "" {
			want = ""
		}
		if got := c.build.CheckSignedTag(catalog.ImageRef{Namespace: "ann", Name: "app"}); (got != nil || want != "") && catalog.MessageOf(got) != want {
			t.Errorf("%+v:\n got %v\nwant %s", c.build, got, want)
		}
	}
}
