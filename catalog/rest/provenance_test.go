package rest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

type fakeKeys struct{}

func (fakeKeys) ListSigningKeys() ([]catalog.InstallationKey, error) {
	return []catalog.InstallationKey{{Fingerprint: "SHA256:ab", PEM: "-----BEGIN"}}, nil
}

type fakeSBOMs struct{}

func (fakeSBOMs) SBOM(_ context.Context, _ catalog.Image, version catalog.Version, platform string) ([]byte, error) {
	return json.Marshal(map[string]string{"name": version.Name + " for " + platform})
}

func TestSBOM(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	got := into[map[string]string](w.do("alice", "GET", "/api/images/app/versions/1.0/sbom?platform=linux/arm64", nil).expect(http.StatusOK))
	testkit.Same(t, "document", got, map[string]string{"name": "1.0 for linux/arm64"})
	w.do("alice", "GET", "/api/images/app/versions/2.0/sbom", nil).expect(http.StatusNotFound)
}

type fakeComparisons struct{}

func (fakeComparisons) Compare(_ context.Context, _ catalog.Image, version catalog.Version, say func(string)) (catalog.Comparison, error) {
	say("a line")
	if version.Name == "broken" {
		return catalog.Comparison{}, catalog.Errorf(catalog.Invalid, "it failed")
	}
	return catalog.Comparison{Digest: version.Digest, Rebuilt: "sha256:other", Differences: []catalog.Difference{{Layer: "layer 1", Name: "/x", What: "content"}}}, nil
}

func TestComparison(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.version("app", "broken", catalog.OutcomeBuilt)
	w.version("app", "failed", catalog.OutcomeUserError)
	const line = "id: 1\ndata: a line\n\nevent: end\ndata: "
	for version, want := range map[string]string{
		"1.0":    `"rebuilt":"sha256:other","differences":[{"layer":"layer 1","name":"/x","what":"content"}],"more":false}`,
		"broken": `"error":"it failed"}`,
	} {
		got := w.do("alice", "POST", "/api/images/app/versions/"+version+"/compare", nil).expect(http.StatusOK).body
		if !strings.HasPrefix(string(got), line) || !strings.Contains(string(got), want) {
			t.Errorf("%s: got %q", version, got)
		}
	}
	w.do("alice", "POST", "/api/images/app/versions/failed/compare", nil).expect(http.StatusConflict)
}

func TestSigningKeys(t *testing.T) {
	w := newEnv(t)
	got := into[[]api.SigningKey](w.do("bob", "GET", "/api/signing-keys", nil).expect(http.StatusOK))
	testkit.Same(t, "keys", got, []api.SigningKey{{Fingerprint: "SHA256:ab", PublicKey: "-----BEGIN"}})
}

// What was pushed as an image came from no commit, and what has no repository can't be shown.
func TestOriginOfWhatHasNone(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.do("alice", "GET", "/api/images/app/versions/1.0/origin", nil).expect(http.StatusNotFound)
	image, err := w.store.Image(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"})
	w.must(err)
	_, err = w.store.RecordVersion(t.Context(), catalog.ReadyVersion{ImageID: image.ID, Version: "pushed", Trigger: catalog.TriggerRegistry, Digest: "sha256:ab"})
	w.must(err)
	w.do("alice", "GET", "/api/images/app/versions/pushed/origin", nil).expect(http.StatusConflict)
}
