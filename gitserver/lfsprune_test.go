package gitserver

import (
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const lfsGrace = 24 * time.Hour

var lfsApp = catalog.ImageRef{Namespace: "alice", Name: "app"}

// prune prunes as if it were so much later.
func (h *lfsEnv) prune(later time.Duration) {
	h.t.Helper()
	if _, err := h.repos.Prune(h.t.Context(), lfsApp, time.Now().Add(later), lfsGrace); err != nil {
		h.t.Fatal(err)
	}
}

// stored returns what the image has.
func (h *lfsEnv) stored() []catalog.LFSObject {
	h.t.Helper()
	image, err := h.store.Image(h.t.Context(), lfsApp)
	if err != nil {
		h.t.Fatal(err)
	}
	objects, err := h.store.ListLFSObjects(h.t.Context(), image.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return objects
}

// objects returns the names of what the image has, and what usage says of it in bytes.
func (h *lfsEnv) objects() (oids []string, bytes int64) {
	h.t.Helper()
	for _, o := range h.stored() {
		oids = append(oids, o.OID)
	}
	namespace, err := h.store.Namespace(h.t.Context(), lfsApp.Namespace)
	if err != nil {
		h.t.Fatal(err)
	}
	contents, err := h.store.ListContents(h.t.Context(), namespace.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, c := range contents {
		bytes += c.Bytes
	}
	return oids, bytes
}

// What the stock client pushed to a branch goes when that went, after the grace time, and what it has the server told that it needs stays.
func TestGitLFSObjectsArePruned(t *testing.T) {
	for transport := range transports {
		t.Run(transport, func(t *testing.T) {
			h := newLFSEnv(t, 0)
			c := h.clone("alice", transport)
			c.git("lfs", "track", "*.bin")
			c.commit("a.bin", "stays")
			c.git("push", "origin", "main")
			stays := strings.Fields(c.git("lfs", "ls-files", "--long"))[0]
			c.git("checkout", "-q", "-b", "other")
			c.commit("a.bin", noise(10_000))
			c.git("push", "origin", "other")
			if oids, bytes := h.objects(); len(oids) != 2 || bytes != 3*4096+4096 {
				t.Fatalf("%q of %d bytes", oids, bytes)
			}
			c.git("push", "origin", ":other")
			h.prune(0) // sees it
			h.prune(lfsGrace - time.Minute)
			if oids, _ := h.objects(); len(oids) != 2 {
				t.Errorf("within the grace time %q", oids)
			}
			h.prune(lfsGrace + time.Minute)
			if oids, bytes := h.objects(); len(oids) != 1 || oids[0] != stays || bytes != 4096 {
				t.Errorf("after it %q of %d bytes", oids, bytes)
			}
			c.git("push", "origin", "other") // its objects come again
			other := h.clone("alice", transport)
			other.git("fetch", "-q", "origin")
			other.git("checkout", "-q", "other")
			if got := other.read("a.bin"); got != noise(10_000) {
				t.Errorf("it came again with %d bytes", len(got))
			}
		})
	}
}

// A client that is told that an object need not be sent has as long for its push as one that sent it.
func TestGitLFSBatchRenewsObjects(t *testing.T) {
	for transport := range transports {
		t.Run(transport, func(t *testing.T) {
			h := newLFSEnv(t, 0)
			c := h.clone("alice", transport)
			c.git("lfs", "track", "*.bin")
			c.commit("plain", "plain")
			c.git("push", "origin", "main")
			c.commit("a.bin", "large")
			c.git("lfs", "push", "origin", "main") // and not the commit
			began := time.Now()
			used := func() time.Time {
				objects := h.stored()
				if len(objects) != 1 {
					t.Fatalf("%+v", objects)
				}
				return objects[0].UsedAt
			}
			first := used()
			if first.After(began) {
				t.Fatalf("used at %s", first)
			}
			c.git("lfs", "push", "origin", "main")
			if again := used(); !again.After(began) {
				t.Errorf("used at %s, and again at %s", first, again)
			}
			h.prune(lfsGrace - time.Minute)
			c.git("push", "origin", "main")
			if oids, _ := h.objects(); len(oids) != 1 {
				t.Errorf("left is %q", oids)
			}
			h.prune(2 * lfsGrace) // a ref leads to it
			if oids, _ := h.objects(); len(oids) != 1 {
				t.Errorf("left is %q", oids)
			}
		})
	}
}

// What was uploaded for a push that never came goes, also of an image that it made.
func TestGitLFSObjectsOfNoPushArePruned(t *testing.T) {
	h := newLFSEnv(t, 0)
	c := h.clone("alice", "ssh")
	c.git("lfs", "track", "*.bin")
	c.commit("a.bin", "large")
	c.git("lfs", "push", "--all", "origin", "main")
	h.prune(lfsGrace - time.Minute)
	if oids, _ := h.objects(); len(oids) != 1 {
		t.Errorf("within the grace time %q", oids)
	}
	h.prune(lfsGrace + time.Minute)
	if oids, _ := h.objects(); len(oids) != 0 {
		t.Errorf("after it %q", oids)
	}
}
