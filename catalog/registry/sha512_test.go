package registry_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog/registry"
)

// Blobs may be named by SHA-512. What the library names by SHA-256 are the same blobs.
func TestSHA512(t *testing.T) {
	w := newEnv(t)
	plain := string(w.manifest("alice/app", "", "layer", nil))
	layer := digest.SHA512.FromString("layer").String()
	if a := w.put(w.begin("alice/app")+"&digest="+layer, "application/octet-stream", []byte("layer")); a.status != http.StatusCreated {
		t.Fatalf("upload: %d %s", a.status, a.body)
	}
	data := strings.Replace(plain, digestOf([]byte("layer")), layer, 1)
	if a := w.put("/v2/alice/app/manifests/1.0", ocispec.MediaTypeImageManifest, []byte(data)); a.status != http.StatusCreated {
		t.Fatalf("push: %d %s", a.status, a.body)
	}
	if size := w.versionOf("alice/app", "1.0").Size; size != int64(len(data)+len(`{"architecture":"amd64","os":"linux"}`)+len("layer")) {
		t.Errorf("the version takes %d bytes", size)
	}
	stray := digest.SHA512.FromString("stray").String()
	w.put(w.begin("alice/app")+"&digest="+stray, "application/octet-stream", []byte("stray"))
	w.age()
	w.expect("HEAD", "/v2/alice/app/blobs/"+stray, alice, http.StatusOK, "")
	w.collect(registry.CollectOptions{})
	for d, content := range map[string]string{layer: "layer", stray: "stray"} {
		if a := w.expect("GET", "/v2/alice/app/blobs/"+d, alice, http.StatusOK, ""); string(a.body) != content {
			t.Errorf("got %q, want %q", a.body, content)
		}
	}
	for content, c := range map[string]struct {
		by     digest.Digest
		status int
	}{
		data:        {digest.SHA512.FromString(data), http.StatusBadRequest},
		data + " ":  {digest.SHA384.FromString(data + " "), http.StatusBadRequest},
		plain + " ": {digest.SHA256.FromString(plain + " "), http.StatusCreated},
	} {
		a := w.put("/v2/alice/app/manifests/"+c.by.String(), ocispec.MediaTypeImageManifest, []byte(content))
		if a.status != c.status || a.status != http.StatusCreated && (!strings.Contains(string(a.body), "DIGEST_INVALID") || !strings.Contains(string(a.body), "by sha256 digest")) {
			t.Errorf("a manifest by %.6s: %d %s", c.by, a.status, a.body)
		}
	}
}
