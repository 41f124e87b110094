package gitserver

import "testing"

func TestPushAndClone(t *testing.T) {
	h := newHost(t, nil)
	c := h.newClone("alice", "app")
	first := c.commit("a.txt", lines(500, "line"))
	c.git("tag", "v1.0")
	c.git("push", "origin", "main", "v1.0")
	push := h.receiver.last(t)
	if len(push.Updates) != 2 || push.Image.Ref.String() != "alice/app" {
		t.Fatalf("got push %+v", push)
	}
	for _, u := range push.Updates {
		if u.Commit != first || u.New != first || u.Old != "" {
			t.Errorf("update %+v, want a new ref at %s", u, first)
		}
	}
	c.commit("a.txt", lines(500, "line")+"one more\n")
	c.git("tag", "-a", "-m", "annotated", "v1.1")
	c.git("push", "origin", "main", "v1.1")
	h.fsck("alice/app")

	d := h.newClone("alice", "alice/app.git")
	d.git("clone", "-q", h.url("app"), "copy")
	d.dir += "/copy"
	if got, want := d.git("rev-parse", "HEAD"), c.git("rev-parse", "HEAD"); got != want {
		t.Errorf("cloned %s, want %s", got, want)
	}
	if got := d.git("tag"); got != "v1.0\nv1.1" {
		t.Errorf("cloned tags %q", got)
	}
	d.git("fsck", "--full", "--strict")
}
