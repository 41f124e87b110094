package registry_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
)

// signatureOf is the tag that cosign puts a signature under.
func signatureOf(manifest []byte) string {
	return strings.Replace(digestOf(manifest), ":", "-", 1) + ".sig"
}

func TestSignaturesAndCachesAreNoVersions(t *testing.T) {
	w := newEnv(t)
	image := w.manifest("alice/app", "1.0", "image", nil)
	events := func() int {
		list, err := w.store.EventsAfter(t.Context(), "alice", 0, 1000)
		w.must(err)
		return len(list)
	}
	before := events()
	for _, tag := range []string{signatureOf(image), strings.Replace(signatureOf(image), ".sig", ".att", 1), "buildcache", "buildcache-main"} {
		w.manifest("alice/app", tag, "first "+tag, nil)
		second := w.manifest("alice/app", tag, "second "+tag, nil)
		if a := w.expect("GET", "/v2/alice/app/manifests/"+tag, alice, http.StatusOK, ""); a.header.Get("Docker-Content-Digest") != digestOf(second) {
			t.Errorf("%s names %s, want the second", tag, a.header.Get("Docker-Content-Digest"))
		}
		if _, err := w.store.Version(t.Context(), w.versionOf("alice/app", "1.0").ImageID, tag); catalog.CodeOf(err) != catalog.NotFound {
			t.Errorf("%s is a version: %v", tag, err)
		}
		if tags := tagsOf(t, w.request("GET", "/v2/alice/app/tags/list", alice)); !slices.Contains(tags, tag) {
			t.Errorf("%s is not among %v", tag, tags)
		}
		w.expect("GET", "/v2/alice/app/manifests/"+tag, bob, http.StatusNotFound, "NAME_UNKNOWN")
		w.expect("DELETE", "/v2/alice/app/manifests/"+tag, bob, http.StatusNotFound, "NAME_UNKNOWN")
		w.expect("DELETE", "/v2/alice/app/manifests/"+tag, alice, http.StatusAccepted, "")
		w.expect("GET", "/v2/alice/app/manifests/"+tag, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	}
	if after := events(); after != before {
		t.Errorf("%d events told of them", after-before)
	}
	w.must(w.store.SetMember(t.Context(), "alice", mustUser(w, "bob").ID, catalog.RoleRead))
	w.manifest("alice/app", "buildcache", "cache", nil)
	w.expect("DELETE", "/v2/alice/app/manifests/buildcache", bob, http.StatusForbidden, "DENIED")
	w.expect("PUT", "/v2/alice/app/manifests/buildcache", bob, http.StatusForbidden, "DENIED")
}

// A name that is a version's already stays one.
func TestVersionsStayVersions(t *testing.T) {
	w := newEnv(t)
	app := w.image("alice", "app")
	digest := w.built(app, "buildcache")
	w.expect("PUT", "/v2/alice/app/manifests/buildcache", alice, http.StatusConflict, "DENIED")
	w.expect("DELETE", "/v2/alice/app/manifests/buildcache", alice, http.StatusMethodNotAllowed, "UNSUPPORTED")
	if a := w.expect("GET", "/v2/alice/app/manifests/buildcache", alice, http.StatusOK, ""); a.header.Get("Docker-Content-Digest") != digest {
		t.Errorf("it names %s", a.header.Get("Docker-Content-Digest"))
	}
}

func TestSignaturesGoWithWhatTheySign(t *testing.T) {
	w := newEnv(t)
	first, second := w.manifest("alice/app", "1.0", "first", nil), w.manifest("alice/app", "2.0", "second", nil)
	for _, signed := range [][]byte{first, second} {
		signature := w.manifest("alice/app", signatureOf(signed), "signature of "+digestOf(signed), nil)
		w.manifest("alice/app", signatureOf(signature), "signature of the signature of "+digestOf(signed), nil)
	}
	w.manifest("alice/app", "buildcache", "cache", nil)
	early := signatureOf([]byte("what is pushed after its signature"))
	w.manifest("alice/app", early, "an early signature", nil)
	w.deleteVersion("1.0")
	w.expect("GET", "/v2/alice/app/manifests/"+signatureOf(first), alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	w.collect(registry.CollectOptions{})
	w.expect("GET", "/v2/alice/app/manifests/"+early, alice, http.StatusOK, "") // for the grace time
	w.age()
	w.collect(registry.CollectOptions{})
	w.expect("GET", "/v2/alice/app/manifests/"+early, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	w.expect("GET", "/v2/alice/app/manifests/"+signatureOf(second), alice, http.StatusOK, "")
	for content, want := range map[string]bool{
		"signature of " + digestOf(first): false, "signature of the signature of " + digestOf(first): false,
		"signature of " + digestOf(second): true, "signature of the signature of " + digestOf(second): true, "cache": true,
	} {
		if w.hasBlob(content) != want {
			t.Errorf("%s is there: %t", content, !want)
		}
	}
	if tags := tagsOf(t, w.request("GET", "/v2/alice/app/tags/list", alice)); len(tags) != 4 {
		t.Errorf("tags %v", tags)
	}
}

// What can't be read is no evidence that it is not needed.
func TestCollectionEndsAtTheFirstError(t *testing.T) {
	w := newEnv(t)
	kept := w.manifest("alice/app", "1.0", "kept", nil)
	w.manifest("alice/app", "", "unneeded", nil)
	w.age()
	w.breakManifest(kept)
	if done, err := w.registry.Collect(t.Context(), registry.CollectOptions{Grace: grace}); err == nil || done.Freed.Blobs > 0 {
		t.Errorf("with a version that can't be read: %+v, %v", done, err)
	}
	if !w.hasBlob("kept") || !w.hasBlob("unneeded") {
		t.Error("something went")
	}
}

// What went too early comes back, and what no client asked for in the meantime is gone for good.
func TestTrash(t *testing.T) {
	w := newEnv(t)
	data := w.manifest("alice/app", "1.0", "layer", nil)
	w.manifest("alice/app", "", "unneeded", nil)
	v := w.versionOf("alice/app", "1.0")
	w.must(w.store.DeleteVersion(t.Context(), v.ID, ""))
	w.endRemovals()
	w.age()
	if done := w.collect(registry.CollectOptions{}); done.Freed.Blobs != 5 {
		t.Errorf("freed %+v", done.Freed)
	}
	if w.hasBlob("layer") {
		t.Error("the layer is still served")
	}
	_, err := w.store.RecordVersion(t.Context(), catalog.ReadyVersion{ImageID: v.ImageID, Version: "1.0", Trigger: catalog.TriggerRegistry,
		UserID: w.alice.ID, Digest: digestOf(data), Size: 1, At: time.Now()}) // as a catalog restored from its backup
	w.must(err)
	w.collect(registry.CollectOptions{})
	if !w.hasBlob("layer") || w.hasBlob("unneeded") {
		t.Error("not just what is needed came back")
	}
	w.expect("GET", "/v2/alice/app/manifests/1.0", alice, http.StatusOK, "")
	trash := filepath.Join(w.dir, "registry", "trash")
	old := time.Now().Add(-2 * grace)
	for _, blob := range w.entries(trash) {
		w.must(os.Chtimes(filepath.Join(trash, blob), old, old))
	}
	w.collect(registry.CollectOptions{})
	if left := w.entries(trash); len(left) > 0 {
		t.Errorf("in the trash are %v", left)
	}
}

// Whatever became of the catalog, most of all images does not go unasked.
func TestMostOfAllIsNotRemovedUnasked(t *testing.T) {
	w := newEnv(t)
	w.manifest("alice/app", "", "unneeded", nil)
	hex := digestOf([]byte("unneeded"))[len("sha256:"):]
	w.must(os.Truncate(filepath.Join(w.dir, "registry", "docker", "registry", "v2", "blobs", "sha256", hex[:2], hex, "data"), 3<<30))
	w.age()
	if done, err := w.registry.Collect(t.Context(), registry.CollectOptions{Grace: grace}); catalog.CodeOf(err) != catalog.Conflict || !strings.Contains(catalog.MessageOf(err), "--force") {
		t.Errorf("%+v, %v", done, err)
	}
	if !w.hasBlob("unneeded") {
		t.Error("it went")
	}
	w.age() // it was just asked for
	if done := w.collect(registry.CollectOptions{Force: true}); done.Freed.Blobs != 3 {
		t.Errorf("forced: %+v", done)
	}
}

// An index may be put when its parts were sent long ago: they stay with all they are made of.
func TestIndexKeepsItsPartsDuringACollection(t *testing.T) {
	w := newEnv(t)
	w.manifest("alice/app", "1.0", "needed", nil)
	child := w.manifest("alice/app", "", "layer of a part", nil)
	w.age()
	index := []byte(`{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[{"mediaType":"` + ocispec.MediaTypeImageManifest +
		`","digest":"` + digestOf(child) + `","size":` + strconv.Itoa(len(child)) + `}]}`)
	put := false
	w.collect(registry.CollectOptions{Report: func(registry.VersionUse) { // what is needed is known by then
		if a := w.put("/v2/alice/app/manifests/2.0", ocispec.MediaTypeImageIndex, index); a.status != http.StatusCreated {
			t.Errorf("put the index: %d %s", a.status, a.body)
		}
		put = true
	}})
	if !put {
		t.Fatal("nothing was reported")
	}
	if !w.hasBlob("layer of a part") {
		t.Error("the layer of a part of a built version is gone")
	}
}
