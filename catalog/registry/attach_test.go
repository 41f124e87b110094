package registry_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
)

var attachments = []catalog.Attachment{
	{ArtifactType: "application/vnd.test", MediaType: "application/vnd.test.envelope+json", Annotations: map[string]string{"kind": "provenance"}, Content: []byte("an envelope")},
	{Tag: "sig", MediaType: "application/vnd.test.signature", Annotations: map[string]string{"signature": "abc"}, Content: []byte("our signature")},
	{Tag: "att", MediaType: "application/vnd.test.envelope", Content: []byte("our attestation")},
}

func (e *env) attach(manifest []byte, all ...catalog.Attachment) error {
	image, err := e.store.Image(e.t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"})
	e.must(err)
	return e.registry.Attach(e.t.Context(), image, digestOf(manifest), all...)
}

// referrersOf lists what refers to a manifest of alice/app.
func (e *env) referrersOf(manifest []byte) []ocispec.Descriptor {
	e.t.Helper()
	var list ocispec.Index
	e.must(json.Unmarshal(e.expect("GET", "/v2/alice/app/referrers/"+digestOf(manifest), alice, http.StatusOK, "").body, &list))
	return list.Manifests
}

// layersUnder returns the layers of the manifest under a tag of alice/app.
func (e *env) layersUnder(tag string) (contents []string) {
	e.t.Helper()
	var m ocispec.Manifest
	e.must(json.Unmarshal(e.expect("GET", "/v2/alice/app/manifests/"+tag, alice, http.StatusOK, "").body, &m))
	e.expect("GET", "/v2/alice/app/blobs/"+m.Config.Digest.String(), alice, http.StatusOK, "")
	for _, layer := range m.Layers {
		contents = append(contents, string(e.expect("GET", "/v2/alice/app/blobs/"+layer.Digest.String(), alice, http.StatusOK, "").body))
	}
	return contents
}

// What is attached is found by subject and by tag, is no version, stays through collections, and goes with the last
// version of the manifest.
func TestAttachmentsLiveAsLongAsTheirManifest(t *testing.T) {
	w := newEnv(t)
	image := w.manifest("alice/app", "1.0", "image", nil)
	w.manifest("alice/app", "same", "image", nil)
	other := w.manifest("alice/app", "2.0", "other", nil)
	signatures := signatureOf(image)
	w.must(w.attach(image, attachments...))
	w.must(w.attach(image, attachments...)) // as when the record of it was lost
	w.must(w.attach(other, attachments...))

	found := w.referrersOf(image)
	if len(found) != 1 || found[0].ArtifactType != attachments[0].ArtifactType || found[0].Annotations["kind"] != "provenance" {
		t.Errorf("referrers %+v", found)
	}
	w.expect("GET", "/v2/alice/app/referrers/"+digestOf(image), bob, http.StatusNotFound, "NAME_UNKNOWN")
	w.expect("GET", "/v2/alice/app/manifests/"+signatures, bob, http.StatusNotFound, "NAME_UNKNOWN")
	if got := w.layersUnder(signatures); !slices.Equal(got, []string{"our signature"}) {
		t.Errorf("signatures %q", got)
	}
	more := attachments[1]
	more.Content = []byte("another signature")
	w.must(w.attach(image, more))
	if got := w.layersUnder(signatures); !slices.Equal(got, []string{"our signature", "another signature"}) {
		t.Errorf("signatures %q", got)
	}

	again := strings.Replace(signatures, ".sig", ".rebuild", 1) // what a crash left of a version that was built again
	w.manifest("alice/app", again, "built again", nil)

	rotated := attachments[1] // a signature by another key is of the same text
	rotated.Annotations = map[string]string{"signature": "def"}
	w.must(w.attach(image, rotated))
	w.must(w.attach(image, rotated))
	if got := w.layersUnder(signatures); !slices.Equal(got, []string{"our signature", "another signature", "our signature"}) {
		t.Errorf("signatures %q", got)
	}

	w.age()
	w.collect(registry.CollectOptions{})
	if w.hasBlob("built again") {
		t.Error("what was built again stays")
	}
	w.expect("GET", "/v2/alice/app/manifests/"+again, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	w.deleteVersion("1.0")
	w.collect(registry.CollectOptions{})
	if got := w.layersUnder(signatures); len(got) != 3 || len(w.referrersOf(image)) != 1 {
		t.Errorf("with a version of the same manifest there are signatures %q, referrers %v", got, w.referrersOf(image))
	}
	w.deleteVersion("same")
	for _, tag := range []string{signatures, strings.Replace(signatures, ".sig", ".att", 1)} {
		w.expect("GET", "/v2/alice/app/manifests/"+tag, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	}
	w.expect("GET", "/v2/alice/app/manifests/"+found[0].Digest.String(), alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	if left := w.referrersOf(image); len(left) > 0 {
		t.Errorf("left are %+v", left)
	}
	if err := w.attach(image, attachments...); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("attached to what is gone: %v", err)
	}
	if got := w.layersUnder(signatureOf(other)); len(got) != 1 || len(w.referrersOf(other)) != 1 {
		t.Errorf("of the other there are signatures %q, referrers %v", got, w.referrersOf(other))
	}
	w.age()
	w.collect(registry.CollectOptions{})
	if !w.hasBlob("our signature") || w.hasBlob("another signature") || w.hasBlob("image") {
		t.Error("not just what is needed was kept")
	}
}

// What the server has attached goes with its version: who may push can neither delete it nor put something else in its place,
// and can add to it.
func TestAttachmentsStayWhileTheirVersionDoes(t *testing.T) {
	w := newEnv(t)
	image := w.manifest("alice/app", "1.0", "image", nil)
	w.must(w.attach(image, attachments...))
	tag := signatureOf(image)
	path := "/v2/alice/app/manifests/"
	signed := w.expect("GET", path+tag, alice, http.StatusOK, "").body
	referrer := w.referrersOf(image)[0].Digest.String()
	w.expect("DELETE", path+tag, alice, http.StatusForbidden, "DENIED")
	w.expect("DELETE", path+digestOf(signed), alice, http.StatusForbidden, "DENIED")
	w.expect("DELETE", path+referrer, alice, http.StatusForbidden, "DENIED")

	var m ocispec.Manifest
	w.must(json.Unmarshal(signed, &m))
	put := func(status int, code string, layers ...ocispec.Descriptor) {
		t.Helper()
		m.Layers = layers
		text, err := json.Marshal(m)
		w.must(err)
		if got := w.put(path+tag, ocispec.MediaTypeImageManifest, text); got.status != status || code != "" && !strings.Contains(string(got.body), code) {
			t.Errorf("putting %v: %d %s, want %d %s", layers, got.status, got.body, status, code)
		}
	}
	ours, theirs := m.Layers[0], m.Layers[0]
	theirs.Annotations = map[string]string{"signature": "of a user"}
	put(http.StatusForbidden, "DENIED", theirs)
	put(http.StatusCreated, "", ours, theirs)
	changed := ours
	changed.Annotations = map[string]string{"signature": "xyz"}
	put(http.StatusForbidden, "DENIED", changed, theirs)
	spoiled := func(spoil func(*ocispec.Descriptor)) ocispec.Descriptor {
		layer := ours
		spoil(&layer)
		return layer
	}
	put(http.StatusForbidden, "DENIED", spoiled(func(l *ocispec.Descriptor) { l.Size++ }), theirs) // which clients could not read
	put(http.StatusForbidden, "DENIED", spoiled(func(l *ocispec.Descriptor) { l.MediaType = "text/plain" }), theirs)
	put(http.StatusForbidden, "DENIED", spoiled(func(l *ocispec.Descriptor) { l.Data = []byte("else") }), theirs)
	put(http.StatusCreated, "", ours) // a user's may go
	if got := w.layersUnder(tag); !slices.Equal(got, []string{"our signature"}) {
		t.Errorf("signatures %q", got)
	}
	w.deleteVersion("1.0")
	w.expect("GET", path+tag, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	w.expect("GET", path+referrer, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
}

// What a user attaches, marked as the server's or not, costs no more than its bytes: each content is read once, and none that is larger than
// what the server writes.
func TestAttachedAreRead(t *testing.T) {
	w := newEnv(t)
	image := w.manifest("alice/app", "1.0", "image", nil)
	w.must(w.attach(image, attachments[0]))
	for kind, contents := range map[string][]string{"first": {"one", "one", "two"}, "second": {"one", "huge"}} {
		for i, content := range contents {
			m := ocispec.Manifest{
				MediaType: ocispec.MediaTypeImageManifest, ArtifactType: "application/vnd.test",
				Config: w.blob("alice/app", []byte("{}")), Layers: []ocispec.Descriptor{w.blob("alice/app", []byte(content))},
				Subject:     &ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.Digest(digestOf(image)), Size: int64(len(image))},
				Annotations: map[string]string{"kind": "provenance", "n": kind + strconv.Itoa(i)},
			}
			m.SchemaVersion, m.Layers[0].Size = 2, 1 // which nothing checks
			if kind == "second" {
				m.Annotations["com.github.fandoghpaas.fandogh.by"] = "server"
			}
			text, err := json.Marshal(m)
			w.must(err)
			if got := w.put("/v2/alice/app/manifests/"+digestOf(text), ocispec.MediaTypeImageManifest, text); got.status != http.StatusCreated {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if _, err := w.registry.PlatformImages(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"}, digestOf(text)); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), `of type "application/vnd.test"`) {
				t.Errorf("the files of an attachment: %v", err)
			}
		}
	}
	large := digest.FromString("huge").Encoded()
	w.must(os.Truncate(filepath.Join(w.dir, "registry/docker/registry/v2/blobs/sha256", large[:2], large, "data"), 1<<30))
	var got []string
	for content, err := range w.registry.Attached(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"}, digestOf(image), "kind", "provenance") {
		w.must(err)
		got = append(got, string(content))
	}
	slices.Sort(got)
	if want := []string{"an envelope", "one", "two"}; !slices.Equal(got, want) {
		t.Errorf("got %.100q, want %q", got, want)
	}
}

// An index may name one image often, and images that share a large configuration.
func TestImagesForManyPlatforms(t *testing.T) {
	w := newEnv(t)
	w.manifest("alice/app", "1.0", "image", nil)
	config := w.blob("alice/app", []byte(`{"os":"linux","architecture":"amd64"}`+strings.Repeat(" ", 4<<20-100)))
	config.MediaType = ocispec.MediaTypeImageConfig
	var manifests [][]byte
	for i := range 10 {
		m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{}, Annotations: map[string]string{"n": strconv.Itoa(i)}}
		m.SchemaVersion = 2
		text, err := json.Marshal(m)
		w.must(err)
		if got := w.put("/v2/alice/app/manifests/"+digestOf(text), ocispec.MediaTypeImageManifest, text); got.status != http.StatusCreated {
			t.Fatalf("%d %s", got.status, got.body)
		}
		manifests = append(manifests, text)
	}
	images := func(tag string, manifests ...[]byte) ([]catalog.PlatformImage, error) {
		index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
		index.SchemaVersion = 2
		for _, m := range manifests {
			d := w.descriptorOf(m)
			d.Platform = &ocispec.Platform{OS: "linux", Architecture: "amd64"}
			index.Manifests = append(index.Manifests, d)
		}
		text, err := json.Marshal(index)
		w.must(err)
		if got := w.put("/v2/alice/app/manifests/"+tag, ocispec.MediaTypeImageIndex, text); got.status != http.StatusCreated {
			t.Fatalf("%d %s", got.status, got.body)
		}
		return w.registry.PlatformImages(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"}, digestOf(text))
	}
	if _, err := images("many", manifests...); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("many images: %v", err)
	}
	if all, err := images("often", slices.Repeat(manifests[:1], 10)...); err != nil || len(all) != 1 {
		t.Errorf("one image often: %d, %v", len(all), err)
	}
}
