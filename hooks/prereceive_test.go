package hooks_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestPreReceiveRules(t *testing.T) {
	h := newEnv(t)
	h.version("built", commitA, catalog.Built)
	h.version("broken", commitA, catalog.BuildFailed)
	h.version("failed", commitA, catalog.Failed)
	h.version("fai_ed", commitA, catalog.Failed)
	h.version("building", commitA, catalog.Building)
	h.version("waiting", commitA, catalog.Pending)
	h.version("bui_ding", commitA, catalog.Pending)
	tag := func(name, old, commit string) catalog.RefUpdate {
		return catalog.RefUpdate{Name: "refs/tags/" + name, Old: old, New: commit, Commit: commit}
	}
	for _, c := range []struct {
		name   string
		update catalog.RefUpdate
		code   catalog.Code // empty: accepted
		says   string
	}{
		{"new tag", tag("v1.0", "", commitA), "", ""},
		{"annotated tag", catalog.RefUpdate{Name: "refs/tags/v1", New: tagObj, Commit: commitA}, "", ""},
		{"branch", catalog.RefUpdate{Name: "refs/heads/main", New: commitA, Commit: commitA}, "", ""},
		{"branch deleted", catalog.RefUpdate{Name: "refs/heads/main", Old: commitA}, "", ""},
		{"other ref", catalog.RefUpdate{Name: "refs/notes/commits", New: commitA, Commit: commitA}, "", ""},
		{"tag that names an image", tag("api/v1", "", commitA), "", ""},
		{"tag that names none", tag("api/", "", commitA), catalog.Invalid, "use letters, digits"},
		{"tag of another tag's version", tag("bui+ding", "", commitA), catalog.Conflict, "tag bui+ding would be version bui_ding, which there is already of tag bui_ding"},
		{"the same of one that failed", tag("fai+ed", "", commitA), "", ""},
		{"tag beginning with a dash", tag("-v1", "", commitA), catalog.Invalid, "not beginning with"},
		{"tag with plus", tag("1.0+x", "", commitA), "", ""},
		{"tag of a blob", catalog.RefUpdate{Name: "refs/tags/v1", New: tagObj}, catalog.Invalid, "does not point to a commit"},
		{"tag without version deleted", catalog.RefUpdate{Name: "refs/tags/stray", Old: commitA}, "", ""},
		{"tag deleted", catalog.RefUpdate{Name: "refs/tags/built", Old: commitA}, catalog.Forbidden, "DELETE /api/images/App/versions/built"},
		{"built, moved by force", tag("built", commitA, commitB), catalog.Conflict, "push a new tag"},
		{"built, other commit", tag("built", "", commitB), catalog.Conflict, "never changes"},
		{"built, annotated again", catalog.RefUpdate{Name: "refs/tags/built", Old: commitA, New: tagObj, Commit: commitA}, catalog.Conflict, "never changes"},
		{"built, tag put back", tag("built", "", commitA), "", ""},
		{"building, same commit", tag("building", "", commitA), "", ""},
		{"building, other commit", tag("building", commitA, commitB), catalog.Conflict, "being built from another commit (aaaaaaa)"},
		{"waiting, same commit", tag("waiting", "", commitA), "", ""},
		{"waiting, other commit", tag("waiting", "", commitB), catalog.Conflict, "being built from another commit"},
		{"user's failure, same commit, beside another tag", tag("broken", "", commitA), catalog.Conflict, "failed from this commit before"},
		{"user's failure, fixed", tag("broken", "", commitB), "", ""},
		{"our failure", tag("failed", "", commitA), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			push, _ := h.push()
			// A bad ref is refused alone.
			push.ManyTags = true
			push.Updates = []catalog.RefUpdate{tag("fine", "", commitA), c.update}
			refused := h.hooks.PreReceive(t.Context(), push)
			err := refused[c.update.Name]
			if catalog.CodeOf(err) != c.code || err != nil && !strings.Contains(catalog.MessageOf(err), c.says) {
				t.Errorf("refused with %v, want %q %q", err, c.code, c.says)
			}
			if refused["refs/tags/fine"] != nil {
				t.Error("a good tag was refused with it")
			}
		})
	}
	unbuilt, err := h.hooks.UnbuiltTags(t.Context(), h.image)
	if want := map[string]string{"building": commitA, "bui_ding": commitA, "waiting": commitA}; err != nil || !maps.Equal(unbuilt, want) {
		t.Errorf("unbuilt = %v, %v, want %v", unbuilt, err, want)
	}
}
