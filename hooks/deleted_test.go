package hooks_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// A tag whose version was deleted is refused when it is of another commit. Of the same it is built again if somebody asked for that:
// what retention removed would come back with each push of all tags.
func TestTagsOfDeletedVersions(t *testing.T) {
	h := newEnv(t)
	for name, reason := range map[string]string{"deleted": "", "removed": "it was old"} {
		h.version(name, commitA, catalog.Built)
		v, err := h.store.Version(t.Context(), h.image.ID, name)
		if err == nil {
			err = h.store.DeleteVersion(t.Context(), v.ID, reason)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	removals, err := h.store.Removals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range removals {
		if err := h.store.EndRemoval(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		tags    []string
		build   bool
		refused []string
		stored  []string // of those not refused
		says    string
	}{
		{"another commit", []string{"deleted=" + commitB, "removed=" + commitB}, true, []string{"refs/tags/deleted", "refs/tags/removed"}, nil, ""},
		{"all tags", []string{"deleted=" + commitA, "removed=" + commitA}, false, nil, []string{"deleted", "removed"}, "deleted stored, not built: version deleted was deleted on "},
		{"removed, alone", []string{"removed=" + commitA}, false, nil, []string{"removed"}, "removed stored, not built: version removed was removed by retention on "},
		{"removed, asked for", []string{"removed=" + commitA}, true, nil, nil, ""},
		{"deleted, alone", []string{"deleted=" + commitA}, false, nil, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.sources.store = nil
			push, seen := h.push(c.tags...)
			push.Options.BuildBranches = c.build
			push.Options.Detach = true
			refused := h.hooks.PreReceive(t.Context(), push)
			if !slices.Equal(sortedKeys(refused), c.refused) {
				t.Fatalf("refused %v", refused)
			}
			for _, err := range refused {
				if text := catalog.MessageOf(err); !strings.Contains(text, "as sha256:0000") || !strings.Contains(text, "fandoghd admin tombstone lift") {
					t.Error(text)
				}
			}
			push.Updates = slices.DeleteFunc(push.Updates, func(u catalog.RefUpdate) bool { return refused[u.Name] != nil })
			h.hooks.PostReceive(t.Context(), push)
			if stored := sortedKeys(h.sources.store); !slices.Equal(stored, c.stored) || !strings.Contains(seen.String(), c.says) {
				t.Errorf("stored %v, and the pusher sees %s", stored, seen.String())
			}
		})
	}
	if state, _ := h.state("deleted"); state != catalog.Pending {
		t.Errorf("what was asked for again is %s", state)
	}
}
