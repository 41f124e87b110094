package registry_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// What retention asks of images: what an index is made of, what tags that move name, and what is pulled.
func TestWhatIsInUse(t *testing.T) {
	w := newEnv(t)
	amd, arm := w.manifest("alice/app", "", "amd", nil), w.manifest("alice/app", "", "arm", nil)
	index := w.index("1.0", amd, arm)
	plain := w.manifest("alice/app", "2.0", "plain", nil)
	w.index("buildcache", arm)
	image, err := w.store.Image(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"})
	w.must(err)

	parts, err := w.registry.Manifests(digestOf(index))
	w.must(err)
	want := []string{digestOf(amd), digestOf(arm), digestOf(index)}
	slices.Sort(want)
	if !slices.Equal(parts, want) {
		t.Errorf("manifests %v, want %v", parts, want)
	}
	if _, err := w.registry.Manifests("sha256:none"); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("of what is not there: %v", err)
	}
	moving, err := w.registry.MovingTags(t.Context(), image)
	w.must(err)
	if moving[digestOf(arm)] != "buildcache" || moving[digestOf(amd)] != "" || moving[digestOf(plain)] != "" {
		t.Errorf("moving tags name %v", moving)
	}

	before := time.Now().Add(-time.Second)
	pulled := func(what []byte) bool { return w.registry.PulledSince(digestOf(what), before) }
	if pulled(index) || pulled(plain) {
		t.Error("a push counts as a pull")
	}
	w.expect("GET", "/v2/alice/app/manifests/"+digestOf(arm), alice, http.StatusOK, "")
	w.expect("HEAD", "/v2/alice/app/manifests/2.0", alice, http.StatusOK, "")
	w.expect("GET", "/v2/alice/app/manifests/3.0", alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	if !pulled(arm) || !pulled(plain) || pulled(amd) || w.registry.PulledSince(digestOf(arm), time.Now().Add(time.Second)) {
		t.Errorf("pulled: %t %t %t", pulled(arm), pulled(plain), pulled(amd))
	}
}

// The name of a version that was deleted is free for the same image, and another is refused before anything of it is stored.
func TestPushToADeletedName(t *testing.T) {
	w := newEnv(t)
	data := w.manifest("alice/app", "1.0", "layer", nil)
	other := w.manifest("alice/app", "", "other", nil)
	v := w.versionOf("alice/app", "1.0")
	w.must(w.store.DeleteVersion(t.Context(), v.ID, ""))
	w.endRemovals()
	const path, kind = "/v2/alice/app/manifests/1.0", "application/vnd.oci.image.manifest.v1+json"
	if a := w.put(path, kind, other); a.status != http.StatusConflict && a.status != http.StatusForbidden {
		t.Errorf("another image: %d %s", a.status, a.body)
	}
	if a := w.put(path, kind, data); a.status != http.StatusCreated {
		t.Errorf("the same image: %d %s", a.status, a.body)
	}
	if again := w.versionOf("alice/app", "1.0"); again.Digest != v.Digest || again.ID == v.ID {
		t.Errorf("the version is %+v", again)
	}
}
