package gitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// A fetch that began while its user might read gives nothing more when that has ended.
func TestRevokedWhileFetching(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	commit := c.commit("a", "1")
	c.git("push", "-q", "origin", "main")
	bob := h.addUser("bob")
	lines := func(texts ...string) []byte {
		var b bytes.Buffer
		e := pktline.NewEncoder(&b)
		for _, text := range texts {
			if err := e.EncodeString(text); err != nil {
				t.Fatal(err)
			}
		}
		return b.Bytes()
	}
	const delim, flush = "0001", "0000"
	v2 := func(command string, arguments ...string) string {
		return string(lines("command="+command)) + delim + string(lines(arguments...)) + flush
	}
	for _, row := range []struct{ name, version, request, shows string }{
		{"list", "2", v2("ls-refs"), commit},
		{"fetch", "2", v2("fetch", "want "+commit, "done"), "PACK"},
		{"version 0", "0", string(lines("want "+commit+" ofs-delta")) + flush + string(lines("done")), "PACK"},
	} {
		for _, revoked := range []bool{false, true} {
			if err := h.store.SetMember(t.Context(), "alice", bob.ID, catalog.RoleRead); err != nil {
				t.Fatal(err)
			}
			s, err := h.dial("bob").NewSession()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Setenv("GIT_PROTOCOL", "version="+row.version); err != nil {
				t.Fatal(err)
			}
			in, err := s.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Start("git-upload-pack alice/app"); err != nil {
				t.Fatal(err)
			}
			for told := pktline.NewScanner(out); told.Scan() && len(told.Bytes()) > 0; { // up to the flush
			}
			if revoked {
				if err := h.store.SetMember(t.Context(), "alice", bob.ID, catalog.RoleNone); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := io.WriteString(in, row.request); err != nil {
				t.Fatal(err)
			}
			if err := in.Close(); err != nil && !errors.Is(err, io.EOF) { // EOF: who is refused may have been hung up on
				t.Fatal(err)
			}
			answer, err := io.ReadAll(out)
			if err != nil {
				t.Fatal(err)
			}
			if shown := strings.Contains(string(answer), row.shows); shown == revoked {
				t.Errorf("%s, revoked %v: %.200q", row.name, revoked, answer)
			}
		}
	}
}

// Who has hung up, or a server that stops, has no pack made.
func TestFetchEndsWithItsContext(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	commit := c.commit("a", "1")
	c.git("push", "-q", "origin", "main")
	ref := catalog.ImageRef{Namespace: "alice", Name: "app"}
	ctx, cancel := context.WithCancel(t.Context())
	request := fmt.Sprintf("0032want %s\n00000009done\n", commit)
	in := io.MultiReader(strings.NewReader(request[:54]), readerFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF }), strings.NewReader(request[54:]))
	var out bytes.Buffer
	err := h.server.fetches.Serve(ctx, ref, func() (bool, error) { return true, nil }, func(context.Context) error { return nil }, 0, in, &out)
	if err == nil || bytes.Contains(out.Bytes(), []byte("PACK")) {
		t.Errorf("%v, and sent %q", err, out.Bytes())
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Directories may be called as they like, also by characters that make patterns elsewhere.
func TestDataBelowOddNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `data[1]*?{a,b}`)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := newEnv(t, func(c *Config) {
		var err error
		if c.Repositories, err = repository.Open(filepath.Join(dir, "repos"), objects.NewBudget(), nil); err != nil {
			t.Fatal(err)
		}
	})
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	c.git("push", "-q", "origin", "main")
	second := c.commit("a", "2")
	c.git("push", "-q", "origin", "main")
	d := h.newClone("alice", "app")
	d.git("clone", "-q", h.url("app"), "copy")
	if got := d.git("-C", "copy", "rev-parse", "HEAD"); got != second {
		t.Errorf("a clone has %s", got)
	}
	again, err := repository.Open(filepath.Join(dir, "repos"), objects.NewBudget(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if refs, err := again.Repositories(t.Context()); err != nil || len(refs) != 1 {
		t.Errorf("a new start finds %v, %v", refs, err)
	}
}

// What is taken can be had back, however deep it is.
func TestDeepTrees(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	path := strings.Repeat("d/", 3000) + "f"
	c.gitWith("commit refs/heads/main\ncommitter a <a@example.org> 1 +0000\ndata 0\nM 100644 inline "+path+"\ndata 1\nx\n", "fast-import", "--quiet")
	c.git("push", "-q", "origin", "main")
	d := h.newClone("alice", "app")
	d.git("clone", "-q", "--bare", h.url("app"), "copy")
	if got := d.git("-C", "copy", "rev-parse", "main"); got != c.git("rev-parse", "main") {
		t.Errorf("a clone has %s", got)
	}
}

// changingStore does something between the check of a push and its effect.
type changingStore struct {
	catalog.Store
	created func(catalog.Image)
}

func (c changingStore) CreateImage(ctx context.Context, n catalog.NewImage) (catalog.Image, error) {
	image, err := c.Store.CreateImage(ctx, n)
	if err == nil {
		c.created(image)
	}
	return image, err
}

// An image that is deleted while it is pushed to leaves no repository, and one that is made anew
// meanwhile gets nothing of the push.
func TestDeletedWhilePushing(t *testing.T) {
	ref := catalog.ImageRef{Namespace: "alice", Name: "app"}
	remove := func(h *env, image catalog.Image) {
		if err := errors.Join(h.store.DeleteImage(t.Context(), image.ID), h.repos.Delete(t.Context(), ref)); err != nil {
			t.Error(err)
		}
		removals, err := h.store.Removals(t.Context())
		if err != nil {
			t.Error(err)
		}
		for _, r := range removals {
			if err := h.store.EndRemoval(t.Context(), r.ID); err != nil {
				t.Error(err)
			}
		}
	}
	t.Run("first push", func(t *testing.T) {
		var h *env
		h = newEnv(t, func(c *Config) {
			c.Store = changingStore{c.Store, func(i catalog.Image) { remove(h, i) }}
		})
		c := h.newClone("alice", "app")
		c.commit("a", "1")
		c.fails([]string{"push", "origin", "main"}, "was deleted in the meantime")
		if _, err := os.Stat(h.repoDir("alice/app")); !os.IsNotExist(err) {
			t.Errorf("the repository: %v", err)
		}
	})
	for what, made := range map[string]bool{"later push": false, "later push, made anew": true} {
		t.Run(what, func(t *testing.T) {
			h := newEnv(t, nil)
			c := h.newClone("alice", "app")
			c.commit("a", "1")
			c.git("push", "-q", "origin", "main")
			c.commit("b", "2")
			h.receiver.set(func(r *receiver) {
				r.pre = func() {
					image, err := h.store.Image(t.Context(), ref)
					if err != nil {
						t.Error(err)
					}
					remove(h, image)
					if made {
						if _, err := h.store.CreateImage(t.Context(), catalog.NewImage{Ref: ref, OwnerID: image.OwnerID}); err != nil {
							t.Error(err)
						}
					}
				}
			})
			c.fails([]string{"push", "origin", "main"}, "was deleted in the meantime")
			if _, err := os.Stat(h.repoDir("alice/app")); !os.IsNotExist(err) {
				t.Errorf("the repository: %v", err)
			}
		})
	}
}
