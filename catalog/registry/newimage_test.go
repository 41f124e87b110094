package registry_test

import (
	"net/http"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Clients look whether a blob has arrived before they send the manifest that makes the image.
func TestBlobsOfAnImageToCome(t *testing.T) {
	w := newEnv(t)
	w.image("alice", "old")
	w.blob("alice/old", []byte("mounted"))
	deleted := w.image("alice", "gone")
	w.manifest("alice/gone", "1.0", "of before", nil)
	w.must(w.store.DeleteImage(t.Context(), deleted.ID))
	w.must(w.registry.DeleteImage(deleted.Ref))
	w.endRemovals()
	reading, _, err := w.accounts.CreateToken(t.Context(), catalog.NewToken{UserID: w.alice.ID, Name: "ci", Scope: catalog.ScopeRead})
	w.must(err)
	w.must(w.store.SetMember(t.Context(), "alice", mustUser(w, "bob").ID, catalog.RoleRead))

	for _, image := range []string{"alice/new", "alice/gone"} {
		at := "/v2/" + image + "/blobs/"
		blob := at + w.blob(image, []byte("layer")).Digest.String()
		w.expect("HEAD", blob, alice, http.StatusOK, "")
		w.expect("GET", blob, alice, http.StatusOK, "")
		w.expect("POST", at+"uploads/?mount="+digestOf([]byte("mounted"))+"&from=alice/old", alice, http.StatusCreated, "")
		w.expect("HEAD", at+digestOf([]byte("mounted")), alice, http.StatusOK, "")
		w.expect("GET", at+digestOf([]byte("of before")), alice, http.StatusNotFound, "BLOB_UNKNOWN")
		w.expect("GET", "/v2/"+image+"/manifests/1.0", alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
		w.expect("GET", "/v2/"+image+"/tags/list", alice, http.StatusNotFound, "NAME_UNKNOWN")
		for _, who := range []string{bob, "alice:" + reading, "nobody:x"} {
			if a := w.request("GET", blob, who); a.status == http.StatusOK {
				t.Errorf("%.9s… reads a blob of %s", who, image)
			}
		}
		w.manifest(image, "1.0", "layer", nil)
		w.expect("GET", "/v2/"+image+"/manifests/1.0", alice, http.StatusOK, "")
	}
}

// What a manifest says beside what it is made of reaches nothing of others'.
func TestFieldsThatAreNotChecked(t *testing.T) {
	w := newEnv(t)
	w.image("bob", "app")
	secret := w.manifest("alice/private", "1.0", strings.Repeat("secret", 1000), nil)
	plain := string(w.manifest("alice/app", "", "own", nil))
	version := func(extra string) catalog.Version {
		body := strings.Replace(plain, "{", "{"+extra+",", 1)
		name := digestOf([]byte(extra))[7:17]
		if a := w.put("/v2/alice/app/manifests/"+name, ocispec.MediaTypeImageManifest, []byte(body)); a.status != http.StatusCreated {
			t.Fatalf("%s: %d %s", extra, a.status, a.body)
		}
		v := w.versionOf("alice/app", name)
		v.Size -= int64(len(extra))
		return v
	}
	none := version(`"blobs":[{"digest":"` + digestOf([]byte("no repository has this")) + `","size":1}]`).Size
	for _, d := range []string{digestOf([]byte(strings.Repeat("secret", 1000))), digestOf(secret)} {
		if got := version(`"blobs":[{"digest":"` + d + `","size":1}]`).Size; got != none {
			t.Errorf("the version takes %d bytes, and %d when it names nothing", got, none)
		}
	}
}

// A push that can't make its image leaves nothing that would be served.
func TestPushesOverTheLimitOfImages(t *testing.T) {
	w := newEnv(t)
	subject := w.descriptorOf(w.manifest("alice/first", "1", "content", nil))
	data := w.manifest("alice/first", "", "content", &subject)
	w.store.SetLimits(catalog.Limits{Images: 1})
	for _, ref := range []string{digestOf(data), "1", "buildcache"} {
		w.blob("alice/second", []byte(`{"architecture":"amd64","os":"linux"}`))
		w.blob("alice/second", []byte("content"))
		if a := w.put("/v2/alice/second/manifests/"+ref, ocispec.MediaTypeImageManifest, data); a.status != http.StatusForbidden {
			t.Errorf("%s over the limit: %d %s", ref, a.status, a.body)
		}
		for _, at := range []string{digestOf(data), ref} {
			w.expect("GET", "/v2/alice/second/manifests/"+at, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
		}
	}
	w.store.SetLimits(catalog.Limits{Images: 2})
	w.manifest("alice/second", "1", "content", nil)
	if got := w.expect("GET", "/v2/alice/second/referrers/"+subject.Digest.String(), alice, http.StatusOK, ""); strings.Contains(string(got.body), digestOf(data)) {
		t.Errorf("what was dropped still refers: %s", got.body)
	}
}
