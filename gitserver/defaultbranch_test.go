package gitserver

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// checkedOut clones app anew, by protocol version 0 and 2 and by go-git, and returns the branch and the commit that
// all of them have checked out.
func (c *clone) checkedOut() (branch, commit string) {
	c.env.t.Helper()
	for _, version := range []string{"0", "2"} {
		d := c.env.newClone(c.user, "app")
		d.git("-c", "protocol.version="+version, "clone", "-q", c.env.url("app"), "copy")
		got := d.git("-C", "copy", "symbolic-ref", "--short", "HEAD")
		head := d.git("-C", "copy", "rev-parse", "HEAD")
		if branch != "" && (got != branch || head != commit) {
			c.env.t.Errorf("version 0 checks out %s at %s, version 2 %s at %s", branch, commit, got, head)
		}
		branch, commit = got, head
	}
	head := c.goGitHead()
	if got := head.Target().Short(); got != branch {
		c.env.t.Errorf("git checks out %s, go-git %s", branch, got)
	}
	return branch, commit
}

// goGitHead is what go-git makes of the repository's HEAD; by it a clone knows what to check out.
func (c *clone) goGitHead() *plumbing.Reference {
	c.env.t.Helper()
	endpoint, err := transport.NewEndpoint(c.env.url("app"))
	if err != nil {
		c.env.t.Fatal(err)
	}
	auth := &gitssh.PublicKeys{User: "git", Signer: c.env.signer(c.user), HostKeyCallbackHelper: gitssh.HostKeyCallbackHelper{
		HostKeyCallback: gossh.InsecureIgnoreHostKey(), //nolint:gosec // our own server
	}}
	session, err := gitssh.NewClient(nil).NewUploadPackSession(endpoint, auth)
	if err != nil {
		c.env.t.Fatal(err)
	}
	defer objects.Discard(session)
	ad, err := session.AdvertisedReferences()
	if err != nil {
		c.env.t.Fatal(err)
	}
	refs, err := ad.AllReferences()
	if err != nil {
		c.env.t.Fatal(err)
	}
	return refs[plumbing.HEAD]
}

// says runs a command that must work, and returns what it prints.
func (e *env) says(user string, command ...string) string {
	e.t.Helper()
	out, status := e.ssh(user, command...)
	if status != 0 {
		e.t.Fatalf("%q: status %d: %s", command, status, out)
	}
	return out
}

func TestDefaultBranch(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	first := c.commit("a", "1")
	second := c.commit("a", "2")
	c.git("push", "-q", "origin", "main", first+":refs/heads/team/next")
	if branch, commit := c.checkedOut(); branch != "main" || commit != second {
		t.Fatalf("a clone has %s at %s", branch, commit)
	}
	if out := h.says("alice", "default-branch", "app", "team/next"); !strings.Contains(out, "alice/app is team/next") {
		t.Errorf("ssh said %s", out)
	}
	if branch, commit := c.checkedOut(); branch != "team/next" || commit != first {
		t.Errorf("a clone has %s at %s", branch, commit)
	}

	// Later pushes don't change it, and neither does a restart.
	c.commit("a", "3")
	c.git("push", "-q", "origin", "main", "main:master")
	again, err := repository.Open(filepath.Join(h.dir, "repos"), objects.NewBudget(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := again.DefaultBranch(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"}); err != nil || d != (catalog.DefaultBranch{Name: "team/next", Exists: true}) {
		t.Errorf("after a restart: %+v, %v", d, err)
	}
	if branch, commit := c.checkedOut(); branch != "team/next" || commit != first {
		t.Errorf("after a push a clone has %s at %s", branch, commit)
	}

	// It is not deleted, alone or with others, until another is chosen.
	c.fails([]string{"push", "origin", ":team/next"}, "team/next is the default branch", "default-branch alice/app BRANCH")
	c.fails([]string{"push", "--atomic", "origin", ":team/next", ":master"}, "atomic")
	c.fails([]string{"push", "origin", ":team/next", ":master"}, "is the default branch")
	if refs := h.serverRefs(); !strings.Contains(refs, "team/next") || strings.Contains(refs, "master") {
		t.Errorf("the refs are %s", refs)
	}
	h.says("alice", "default-branch", "app", "refs/heads/main")
	c.git("push", "-q", "origin", ":team/next")
	if branch, _ := c.checkedOut(); branch != "main" {
		t.Errorf("a clone has %s", branch)
	}
	h.fsck()
}

// As git symbolic-ref has it, the branch need not be there. What is there is checked out until it is.
func TestDefaultBranchBeforeItIsPushed(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	if out, status := h.ssh("alice", "default-branch", "app", "later"); status == 0 || !strings.Contains(out, "does not exist") {
		t.Errorf("without an image: %d: %s", status, out)
	}
	first := c.commit("a", "1")
	c.git("tag", "v1")
	c.git("push", "-q", "origin", "v1")
	if out := h.says("alice", "default-branch", "app", "stable"); !strings.Contains(out, "stable, which does not exist yet") {
		t.Errorf("ssh said %s", out)
	}
	d := h.newClone("alice", "app")
	d.git("clone", "-q", h.url("app"), "copy")
	if got := d.git("-C", "copy", "rev-parse", "HEAD"); got != first {
		t.Errorf("of the tag alone a clone has %s", got)
	}
	c.git("push", "-q", "origin", "main")
	if out := h.says("alice", "default-branch", "app", "stable"); !strings.Contains(out, "no branch stable yet") || !strings.Contains(out, "check out main") {
		t.Errorf("ssh said %s", out)
	}
	if branch, _ := c.checkedOut(); branch != "main" {
		t.Errorf("a clone has %s", branch)
	}
	c.git("push", "-q", "origin", "main:stable")
	if branch, _ := c.checkedOut(); branch != "stable" {
		t.Errorf("a clone has %s", branch)
	}
	// What is not the default any more may go, though it is what an empty choice falls back to.
	h.says("alice", "default-branch", "app", "gone")
	c.git("push", "-q", "origin", ":stable", ":main")
	d = h.newClone("alice", "app")
	d.git("clone", "-q", h.url("app"), "copy")
	if got := d.git("-C", "copy", "rev-parse", "HEAD"); got != first {
		t.Errorf("of the tag alone a clone has %s", got)
	}
}

func TestWhoMayChooseTheDefaultBranch(t *testing.T) {
	h := newEnv(t, nil)
	bob := h.addUser("bob")
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	c.git("push", "-q", "origin", "main", "main:other")
	member := func(role catalog.Role) {
		t.Helper()
		if err := h.store.SetMember(t.Context(), "alice", bob.ID, role); err != nil {
			t.Fatal(err)
		}
	}
	member(catalog.RoleWrite)
	if out, status := h.ssh("bob", "default-branch", "alice/app", "other"); status != 77 || !strings.Contains(out, "is not an admin of") {
		t.Errorf("who may only push: %d: %s", status, out)
	}
	if branch, _ := c.checkedOut(); branch != "main" {
		t.Errorf("a clone has %s", branch)
	}
	member(catalog.RoleAdmin)
	h.says("bob", "default-branch", "alice/app", "other")
	if branch, _ := c.checkedOut(); branch != "other" {
		t.Errorf("a clone has %s", branch)
	}
	for _, bad := range []string{"a..b", "x.lock", "a~1", "''"} {
		if out, status := h.ssh("alice", "default-branch", "app", bad); status != 2 {
			t.Errorf("%q: %d: %s", bad, status, out)
		}
	}
}
