package gitserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// A list that is cut says so, and how to see the rest.
func TestLongLists(t *testing.T) {
	h := newEnv(t, nil)
	image := func(namespace, name string) catalog.Image {
		image, err := h.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: namespace, Name: name}, OwnerID: 1})
		if err != nil {
			t.Fatal(err)
		}
		return image
	}
	queue := func(image catalog.Image, version string) catalog.NewBuild {
		return catalog.NewBuild{ImageID: image.ID, Version: version, Trigger: catalog.TriggerPush, Commit: strings.Repeat("ab", 20), UserID: 1}
	}
	many, full := image("alice", "many"), image("alice", "full")
	var builds []catalog.NewBuild
	for i := range listLimit {
		builds = append(builds, queue(many, fmt.Sprintf("v%03d", i)), queue(full, fmt.Sprintf("v%03d", i)))
	}
	builds = append(builds, queue(many, "v100"))
	if _, err := h.store.QueueBuilds(t.Context(), builds); err != nil {
		t.Fatal(err)
	}
	bob := h.addUser("bob")
	if _, err := h.store.CreateNamespace(t.Context(), "team", bob.ID); err != nil {
		t.Fatal(err)
	}
	for i := range listLimit * 2 / 3 {
		image("bob", fmt.Sprintf("b%03d", i))
		image("team", fmt.Sprintf("t%03d", i))
	}
	for _, c := range []struct {
		user, command string
		rows          int // with the header
		says, first   string
	}{
		{"alice", "versions full", 101, "", "v099"},
		{"alice", "versions many", 101, "Showing the newest 100; run ssh -p 2222 git@git.example.org versions --all alice/many to show all.", "v100"},
		{"alice", "versions --all many", 102, "", "v100"},
		{"alice", "versions many --all", 102, "", "v100"},
		{"alice", "builds --all many v001", 2, "", "1 "},
		{"alice", "images", 3, "", "alice/full"},
		{"bob", "images", 101, "images --all to show all.", "bob/b065"},
		{"bob", "images --all", 1 + 2*(listLimit*2/3), "", "bob/b065"},
	} {
		out, status := h.ssh(c.user, c.command)
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if c.says != "" {
			if !strings.Contains(out, c.says) {
				t.Errorf("%s does not say %q", c.command, c.says)
			}
			lines = lines[1:] // or another of them: the order of two streams is ssh's
		}
		if status != 0 || len(lines) != c.rows || !strings.Contains(out, "\n"+c.first) {
			t.Errorf("%s: %d lines, want %d, status %d\n%.300s", c.command, len(lines), c.rows, status, out)
		}
	}
	if out, status := h.ssh("alice", "versions --every many"); status != 2 || !strings.Contains(out, "usage: versions [--all] IMAGE") {
		t.Errorf("an unknown flag: %d %s", status, out)
	}
}
