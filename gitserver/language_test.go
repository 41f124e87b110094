package gitserver

import (
	"testing"

	"github.com/fandoghpaas/fandogh/internal/language/langtest"
)

// Whatever the commands say is known in Persian, and nothing else is.
func TestEverythingIsSaidInPersian(t *testing.T) {
	said := map[string]bool{}
	for _, text := range langtest.Literals(t, ".", map[string]int{"Text": 0, "say": 0, "heads": -1}) {
		said[text] = true
	}
	for _, text := range []string{"Repository", "Renamed from", "Webhook", "Access", "Tags", "Branches", "Paths", "Context"} {
		said[text] = true
	}
	for _, all := range [][]verb{verbs, githubVerbs, secretVerbs, transferVerbs, retentionVerbs} {
		for _, v := range all {
			said[v.help] = true
		}
	}
	langtest.Compare(t, said, persian)
}
