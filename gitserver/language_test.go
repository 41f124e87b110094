package gitserver

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/language/langtest"
)

// Whatever the commands say is known in Persian, and nothing else is.
func TestEverythingIsSaidInPersian(t *testing.T) {
	said := langtest.Literals(t, ".", map[string]int{"Text": 0, "say": 0, "heads": -1})
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

// All that the catalog names has a name in Persian.
func TestNamesAreKnown(t *testing.T) {
	for _, s := range catalog.States() {
		if language.States[string(s)] == "" {
			t.Errorf("the state %s is not", s)
		}
	}
	for _, trigger := range []catalog.Trigger{catalog.TriggerPush, catalog.TriggerUpload, catalog.TriggerGitHub, catalog.TriggerRegistry, catalog.TriggerRebuild} {
		if language.Triggers[string(trigger)] == "" {
			t.Errorf("the trigger %s is not", trigger)
		}
	}
	for code := range exitCodes {
		if language.Refusals[string(code)] == "" {
			t.Errorf("the code %s is not", code)
		}
	}
}
