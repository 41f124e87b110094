package registry_test

import (
	"net/http"
	"testing"
)

// What was pushed to a namespace and never became an image goes with it: its name may be another's next.
func TestDeleteNamespace(t *testing.T) {
	w := newEnv(t)
	layer := w.blob("alice/scratch", []byte("a secret of alice"))
	other := w.blob("alice/app", []byte("another"))
	w.must(w.store.SetMember(t.Context(), "bob", w.alice.ID, 2))
	kept := w.blob("bob/scratch", []byte("what bob keeps"))
	upload := w.begin("alice/scratch")
	for _, name := range []string{"", "..", "alice/scratch", "Alice"} {
		if err := w.registry.DeleteNamespace(name); err == nil {
			t.Errorf("%q was deleted", name)
		}
	}
	w.expect("GET", "/v2/alice/scratch/blobs/"+layer.Digest.String(), alice, http.StatusOK, "")
	w.must(w.registry.DeleteNamespace("alice"))
	w.must(w.registry.DeleteNamespace("alice"))
	for repository, blob := range map[string]string{"alice/scratch": layer.Digest.String(), "alice/app": other.Digest.String()} {
		w.expect("GET", "/v2/"+repository+"/blobs/"+blob, alice, http.StatusNotFound, "BLOB_UNKNOWN")
	}
	if got := w.request("GET", upload, alice); got.status != http.StatusNotFound {
		t.Errorf("an unfinished upload: %d", got.status)
	}
	w.expect("GET", "/v2/bob/scratch/blobs/"+kept.Digest.String(), alice, http.StatusOK, "")
}
