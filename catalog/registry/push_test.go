package registry_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestBuiltVersionsNeverChange(t *testing.T) {
	w := newEnv(t)
	image := w.image("alice", "app")
	build, creds := w.start(image, "1.0")
	digest := w.push(w.archive(), "alice/app:1.0", creds)
	w.finish(build, digest)

	other := w.archive()
	for name, who := range map[string]string{"the build itself": creds, "the owner": alice} {
		out, err := w.try("skopeo", "copy", "--dest-tls-verify=false", "--dest-creds", who, "docker-archive:"+other, w.app(":1.0"))
		if err == nil {
			t.Errorf("%s moved a built tag:\n%s", name, out)
		}
	}
	for _, who := range []string{creds, alice} {
		if a := w.expect("PUT", "/v2/alice/app/manifests/1.0", who, http.StatusConflict, "DENIED"); !strings.Contains(a.text, "version 1.0 is already built and never changes") {
			t.Errorf("refused with %q", a.text)
		}
		w.expect("DELETE", "/v2/alice/app/manifests/1.0", who, http.StatusMethodNotAllowed, "UNSUPPORTED")
		w.expect("DELETE", "/v2/alice/app/manifests/none", who, http.StatusNotFound, "MANIFEST_UNKNOWN")
		w.expect("DELETE", "/v2/alice/app/manifests/"+digest, who, http.StatusMethodNotAllowed, "UNSUPPORTED")
		w.expect("DELETE", "/v2/alice/app/manifests/"+digestOf(nil), who, http.StatusNotFound, "MANIFEST_UNKNOWN")
		w.expect("DELETE", "/v2/alice/app/blobs/"+digestOf(nil), who, http.StatusNotFound, "BLOB_UNKNOWN")
		w.expect("DELETE", "/v2/bob/app/manifests/1.0", who, http.StatusNotFound, "NAME_UNKNOWN")
	}
	if got := w.expect("GET", "/v2/alice/app/manifests/1.0", alice, http.StatusOK, ""); got.header.Get("Docker-Content-Digest") != digest {
		t.Errorf("the tag moved to %s", got.header.Get("Docker-Content-Digest"))
	}
}

func TestGrantLimits(t *testing.T) {
	w := newEnv(t)
	app, base := w.image("alice", "app"), w.image("alice", "base")
	w.image("bob", "app")
	w.built(base, "1.0")
	_, creds := w.start(app, "1.0")

	w.expect("GET", "/v2/", creds, http.StatusOK, "")
	w.expect("GET", "/v2/alice/base/manifests/1.0", creds, http.StatusOK, "")
	w.expect("POST", "/v2/alice/app/blobs/uploads/", creds, http.StatusAccepted, "")
	w.expect("PUT", "/v2/alice/app/manifests/2.0", creds, http.StatusForbidden, "DENIED")
	w.expect("POST", "/v2/alice/base/blobs/uploads/", creds, http.StatusForbidden, "DENIED")
	w.expect("PUT", "/v2/alice/base/manifests/2.0", creds, http.StatusForbidden, "DENIED")
	w.expect("GET", "/v2/bob/app/tags/list", creds, http.StatusNotFound, "NAME_UNKNOWN")
	w.expect("POST", "/v2/bob/app/blobs/uploads/", creds, http.StatusNotFound, "NAME_UNKNOWN")
	w.expect("GET", "/v2/_catalog", creds, http.StatusForbidden, "DENIED")
}

func TestGrantEnds(t *testing.T) {
	w := newEnv(t)
	grant := catalog.BuildGrant{BuildID: 7, Image: catalog.ImageRef{Namespace: "alice", Name: "app"}, Version: "1"}
	name, first, revokeFirst := w.registry.Grants.Issue(grant)
	w.expect("GET", "/v2/", name+":"+first, http.StatusOK, "")
	w.expect("GET", "/v2/", name+":"+first+"x", http.StatusUnauthorized, "UNAUTHORIZED")

	// The build was taken over: only the later credential counts, and the
	// earlier owner's cleaning up does not end it.
	_, second, revokeSecond := w.registry.Grants.Issue(grant)
	w.expect("GET", "/v2/", name+":"+first, http.StatusUnauthorized, "UNAUTHORIZED")
	revokeFirst()
	w.expect("GET", "/v2/", name+":"+second, http.StatusOK, "")
	revokeSecond()
	w.expect("GET", "/v2/", name+":"+second, http.StatusUnauthorized, "UNAUTHORIZED")
}

func TestMountNeedsTheRightToRead(t *testing.T) {
	w := newEnv(t)
	w.built(w.image("alice", "base"), "1.0")
	w.built(w.image("bob", "base"), "1.0")
	_, creds := w.start(w.image("alice", "app"), "1.0")
	for from, want := range map[string]int{"alice/base": http.StatusCreated, "bob/base": http.StatusAccepted, "nix/base": http.StatusAccepted} {
		layer := w.layerOf(from)
		a := w.expect("POST", "/v2/alice/app/blobs/uploads/?mount="+layer+"&from="+from, creds, want, "")
		if want == http.StatusAccepted && a.header.Get("Location") == "" {
			t.Errorf("mount from %s: no way to upload instead", from)
		}
		status := w.request("HEAD", "/v2/alice/app/blobs/"+layer, creds).status
		if mounted := status == http.StatusOK; mounted != (want == http.StatusCreated) {
			t.Errorf("mount from %s: HEAD says %d", from, status)
		}
	}
}

// A form in the body says the same as the query to the library behind us.
func TestMountByFormIsNoWayAround(t *testing.T) {
	w := newEnv(t)
	w.image("alice", "app")
	w.built(w.image("bob", "base"), "1.0")
	layer := w.layerOf("bob/base")
	multipart := "--x\r\nContent-Disposition: form-data; name=\"mount\"\r\n\r\n" + layer + "\r\n--x\r\nContent-Disposition: form-data; name=\"from\"\r\n\r\nbob/base\r\n--x--\r\n"
	for contentType, body := range map[string]string{
		"application/x-www-form-urlencoded": "mount=" + layer + "&from=bob/base",
		"multipart/form-data; boundary=x":   multipart,
	} {
		for _, query := range []string{"", "?mount=" + layer + "&from=alice/app"} {
			if a := w.send("POST", "/v2/alice/app/blobs/uploads/"+query, contentType, []byte(body)); a.status == http.StatusCreated {
				t.Errorf("%s%s: mounted another's blob", contentType, query)
			}
			if a := w.request("GET", "/v2/alice/app/blobs/"+layer, alice); a.status != http.StatusNotFound {
				t.Errorf("%s%s: alice got %d for bob's blob", contentType, query, a.status)
			}
		}
	}
}

// layerOf returns the digest of an image's first layer, or any digest if there is none.
func (e *env) layerOf(repository string) string {
	namespace, _, _ := strings.Cut(repository, "/")
	body := e.request("GET", "/v2/"+repository+"/manifests/1.0", namespace+":"+password).body
	if i := bytes.LastIndex(body, []byte("sha256:")); i >= 0 {
		return string(body[i : i+len("sha256:")+64])
	}
	return "sha256:" + strings.Repeat("0", 64)
}

func TestDelete(t *testing.T) {
	w := newEnv(t)
	image := w.image("alice", "app")
	digest := w.built(image, "1.0")
	v := w.versionOf("alice/app", "1.0")
	w.must(w.store.DeleteVersion(t.Context(), v.ID, ""))
	w.must(w.registry.DeleteVersion(t.Context(), image.Ref, v))
	w.must(w.registry.DeleteVersion(t.Context(), image.Ref, v)) // nothing left is fine
	w.expect("GET", "/v2/alice/app/manifests/"+digest, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	digest = w.built(image, "2.0")
	w.must(w.registry.DeleteImage(image.Ref))
	w.must(w.registry.DeleteImage(image.Ref))
	w.expect("GET", "/v2/alice/app/manifests/"+digest, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
}
