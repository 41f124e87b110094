package gitserver

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// lookedAt is a catalog.TagVerifier that notes what it is shown, by tag.
type lookedAt struct {
	mu   sync.Mutex
	tags map[string]string
}

func (l *lookedAt) VerifyTag(_ context.Context, namespace, tag string, object []byte) (catalog.TagSignature, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tags[namespace+":"+tag] = string(object)
	return catalog.TagSignature{Kind: catalog.SignatureSSH, Reason: "seen " + tag}, nil
}

// Annotated tags are looked at before any ref moves, whether they came with the push or are there; nothing else is.
func TestTagsAreLookedAt(t *testing.T) {
	seen := &lookedAt{tags: map[string]string{}}
	h := newEnv(t, func(c *Config) { c.Tags = seen })
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	c.git("tag", "light")
	c.git("tag", "-a", "-m", "annotated", "v1")
	c.git("tag", "-a", "-m", "of a tag", "v2", "v1")
	long := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(long, []byte(strings.Repeat("a long story\n", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	c.git("tag", "-a", "-F", long, "long")
	c.git("push", "origin", "main", "light", "v1", "v2", "long")
	for _, u := range h.receiver.last(t).Updates {
		name, _ := u.Tag()
		want := map[string]string{"v1": "seen v1", "v2": "seen v2", "long": "the tag, or all that came with it, is larger than the limit of 1 MiB"}[name]
		if u.Signature.Reason != want {
			t.Errorf("%s: %+v, want %q", u.Name, u.Signature, want)
		}
	}
	c.git("push", "origin", "v1:refs/tags/copy", "long:refs/tags/copy-of-long")
	for _, tag := range []string{"v1", "v2"} {
		if got, want := seen.tags["alice:"+tag], c.git("cat-file", "tag", tag); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s is %q, want %q", tag, got, want)
		}
	}
	if seen.tags["alice:copy"] != seen.tags["alice:v1"] || len(seen.tags) != 3 {
		t.Errorf("looked at %d tags", len(seen.tags))
	}
}

// An annotated tag that is kept is there after git has collected what no ref leads to.
func TestKeptTag(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	commit := c.commit("a", "1")
	c.git("tag", "-a", "-m", "annotated", "v1")
	object := strings.TrimSpace(c.git("rev-parse", "v1"))
	c.git("push", "origin", "v1")
	ref := catalog.ImageRef{Namespace: "alice", Name: "app"}
	if err := h.repos.Keep(t.Context(), ref, object); err != nil {
		t.Fatal(err)
	}
	if err := h.repos.WithdrawTag(t.Context(), ref, "v1", commit); err != nil {
		t.Fatal(err)
	}
	if out, err := h.stock("alice/app", "gc", "-q", "--prune=now").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := h.repos.SetTag(t.Context(), ref, "v1", object); err != nil {
		t.Fatal(err)
	}
	text, err := h.repos.ReadTag(t.Context(), ref, object)
	if err != nil || !strings.Contains(string(text), "annotated") {
		t.Errorf("%q, %v", text, err)
	}
	for _, other := range []string{commit, strings.Repeat("1", 40)} {
		if _, err := h.repos.ReadTag(t.Context(), ref, other); catalog.CodeOf(err) != catalog.NotFound {
			t.Errorf("%s: %v", other, err)
		}
	}
	if err := h.repos.Keep(t.Context(), ref, strings.Repeat("1", 40)); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("what is not there is kept: %v", err)
	}
}
