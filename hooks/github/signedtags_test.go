package github_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
)

// A tag of GitHub is checked by the keys that are known here, and can be asked for again once its key is.
func TestSignedTagsAlone(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	w := f.repository("acme/app")
	w.commit("Dockerfile", "FROM scratch\n")
	branches := "main"
	image := h.connect("app", "acme/app", func(s *catalog.GitHubSettings) { s.Branches = &branches })
	on := true
	if _, err := h.store.UpdateImage(t.Context(), image.ID, catalog.ImageUpdate{SignedTags: &on}); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w.git("tag", "v1")
	w.git("tag", "-a", "-m", "not signed", "v2")
	w.git("-c", "gpg.format=ssh", "-c", "user.signingkey="+key, "tag", "-s", "-m", "signed", "v3")
	w.push("main", "v1", "v2", "v3")
	deliver := func(ref string) string {
		h.deliver("push", pushed("acme/app", ref, w.git("rev-parse", ref)))
		return h.processed(image)
	}
	for ref, want := range map[string]string{
		"refs/tags/v1":    "refused: ann/app takes only tags that a member has signed: v1 is not annotated",
		"refs/tags/v2":    "v2 is not signed",
		"refs/tags/v3":    "v3 is not verified: the SSH key SHA256:",
		"refs/heads/main": "not built: ann/app takes only tags that a member has signed: a branch has none",
	} {
		wantText(t, ref, deliver(ref), want)
	}
	if tags, err := h.repos.Tags(t.Context(), image.Ref); err != nil || len(tags) > 0 || h.versions(image) != "" {
		t.Errorf("there are tags %v and versions %q, %v", tags, h.versions(image), err)
	}

	line, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := account.New(account.Config{Users: h.store}).AddKey(t.Context(), h.user.ID, "", string(line)); err != nil {
		t.Fatal(err)
	}
	if err := h.service.Sync(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	v := h.await(image, "v3", catalog.Built)
	build, err := catalog.NewestBuild(t.Context(), h.store, v)
	if err != nil || !build.Signature.Verified || build.Signature.Signer != h.user.Name || build.TagObject != w.git("rev-parse", "v3") {
		t.Errorf("built %+v, %v", build, err)
	}
}
