package registry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
)

// descriptorOf names a manifest in others.
func (e *env) descriptorOf(manifest []byte) (d ocispec.Descriptor) {
	e.t.Helper()
	e.must(json.Unmarshal(fmt.Appendf(nil, `{"digest":%q,"size":%d,"mediaType":%q}`, digestOf(manifest), len(manifest), ocispec.MediaTypeImageManifest), &d))
	return d
}

// index pushes an index of manifests to alice/app and returns its bytes.
func (e *env) index(ref string, manifests ...[]byte) []byte {
	e.t.Helper()
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
	index.SchemaVersion = 2
	for _, m := range manifests {
		index.Manifests = append(index.Manifests, e.descriptorOf(m))
	}
	data, err := json.Marshal(index)
	e.must(err)
	if a := e.put("/v2/alice/app/manifests/"+ref, ocispec.MediaTypeImageIndex, data); a.status != http.StatusCreated {
		e.t.Fatalf("push an index: %d %s", a.status, a.body)
	}
	return data
}

// held reports whether alice/app serves a manifest by its digest.
func (e *env) held(manifest []byte) bool {
	e.t.Helper()
	return e.request("GET", "/v2/alice/app/manifests/"+digestOf(manifest), alice).status == http.StatusOK
}

func TestDeletedVersionsAreGoneAtOnce(t *testing.T) {
	w := newEnv(t)
	plain := w.manifest("alice/app", "1.0", "plain", nil)
	subject := w.descriptorOf(plain)
	referrer := w.manifest("alice/app", "", "about 1.0", &subject)
	twice := w.manifest("alice/app", "2.0", "twice", nil)
	if a := w.put("/v2/alice/app/manifests/2.1", ocispec.MediaTypeImageManifest, twice); a.status != http.StatusCreated {
		t.Fatalf("push: %d", a.status)
	}
	own, shared := w.manifest("alice/app", "", "own", nil), w.manifest("alice/app", "", "shared", nil)
	first, second := w.index("3.0", own, shared), w.index("3.1", shared)
	part := w.manifest("alice/app", "4.0", "part", nil)
	w.index("4.1", part)
	cached := w.manifest("alice/app", "5.0", "cached", nil)
	w.index("buildcache", cached)
	another := w.manifest("alice/app", "6.0", "another", nil)
	ofAnother := w.descriptorOf(another)
	about := w.manifest("alice/app", "7.0", "about another", &ofAnother)
	signature := w.manifest("alice/app", signatureOf(plain), "signature", nil)
	elsewhere := w.manifest("alice/other", "1.0", "plain", nil)
	for _, version := range []string{"1.0", "2.0", "3.0", "4.0", "5.0", "7.0"} {
		w.deleteVersion(version)
	}
	for _, c := range []struct {
		what     string
		manifest []byte
		want     bool
	}{
		{"a version", plain, false},
		{"what refers to it", referrer, false},
		{"what another version is", twice, true},
		{"an index", first, false},
		{"a part of it alone", own, false},
		{"a part of another version, too", shared, true},
		{"that version", second, true},
		{"what is a part of a version", part, true},
		{"what a cache has", cached, true},
		{"what refers to another version", about, true},
		{"its signature", signature, false},
	} {
		if w.held(c.manifest) != c.want {
			t.Errorf("%s is served: %t", c.what, !c.want)
		}
	}
	w.expect("GET", "/v2/alice/other/manifests/"+digestOf(elsewhere), alice, http.StatusOK, "")
	if list := string(w.expect("GET", "/v2/alice/app/referrers/"+digestOf(plain), alice, http.StatusOK, "").body); json.Valid([]byte(list)) && len(list) > 200 {
		t.Errorf("still listed: %s", list)
	}
	// It may come again.
	if a := w.put("/v2/alice/app/manifests/1.0", ocispec.MediaTypeImageManifest, plain); a.status != http.StatusCreated || !w.held(plain) {
		t.Errorf("pushed again: %d %s", a.status, a.body)
	}
}

// A build has pushed its tag, and is not recorded yet.
func TestDeletedVersionsLeaveBuildsTheirs(t *testing.T) {
	w := newEnv(t)
	image := w.image("alice", "app")
	archive := w.archive()
	first, creds := w.start(image, "1.0")
	digest := w.push(archive, "alice/app:1.0", creds)
	w.finish(first, digest)
	second, creds := w.start(image, "2.0")
	w.push(archive, "alice/app:2.0", creds)
	w.deleteVersion("1.0")
	w.finish(second, digest)
	w.expect("GET", "/v2/alice/app/manifests/2.0", alice, http.StatusOK, "")
	w.deleteVersion("2.0")
	w.expect("GET", "/v2/alice/app/manifests/"+digest, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
}

// Only who may push keeps what is not needed, and only by asking whether it is there.
func TestPullsKeepNothing(t *testing.T) {
	w := newEnv(t)
	w.manifest("alice/app", "1.0", "needed", nil)
	w.must(w.store.SetMember(t.Context(), "alice", mustUser(w, "bob").ID, catalog.RoleRead))
	for _, c := range []struct {
		method, creds string
		kept          bool
	}{{"GET", alice, false}, {"GET", bob, false}, {"HEAD", bob, false}, {"HEAD", alice, true}} {
		stray := w.manifest("alice/app", "", "stray of "+c.method+c.creds, nil)
		layer := digestOf([]byte("stray of " + c.method + c.creds))
		w.age()
		w.expect(c.method, "/v2/alice/app/manifests/"+digestOf(stray), c.creds, http.StatusOK, "")
		w.expect(c.method, "/v2/alice/app/blobs/"+layer, c.creds, http.StatusOK, "")
		w.collect(registry.CollectOptions{})
		status := w.request("GET", "/v2/alice/app/blobs/"+layer, alice).status
		if kept := status == http.StatusOK; w.held(stray) != c.kept || kept != c.kept {
			t.Errorf("%s by %.5s keeps manifest %t and layer %t", c.method, c.creds, w.held(stray), kept)
		}
	}
}

// Clients delete by digest, also what they were told to delete by tag.
func TestDeleteByDigest(t *testing.T) {
	w := newEnv(t)
	plain := w.manifest("alice/app", "1.0", "plain", nil)
	part := w.manifest("alice/app", "", "part", nil)
	index := w.index("2.0", part)
	subject := w.descriptorOf(plain)
	at := func(manifest []byte) string { return "/v2/alice/app/manifests/" + digestOf(manifest) }
	referrer := w.manifest("alice/app", "", "attestation", &subject)
	version := w.manifest("alice/app", "3.0", "a version about another", &subject)
	cache := w.manifest("alice/app", "buildcache", "cache", nil)
	if a := w.put("/v2/alice/app/manifests/buildcache-too", ocispec.MediaTypeImageManifest, cache); a.status != http.StatusCreated {
		t.Fatalf("push: %d", a.status)
	}
	stray := w.manifest("alice/app", "", "stray", nil)
	w.must(w.store.SetMember(t.Context(), "alice", mustUser(w, "bob").ID, catalog.RoleRead))

	for what, manifest := range map[string][]byte{"a version": plain, "an index": index, "a part of it": part, "a version with a subject": version} {
		w.expect("DELETE", at(manifest), alice, http.StatusMethodNotAllowed, "UNSUPPORTED")
		if !w.held(manifest) {
			t.Errorf("%s went", what)
		}
	}
	for what, manifest := range map[string][]byte{"a referrer": referrer, "a cache": cache, "a stray": stray} {
		w.expect("DELETE", at(manifest), bob, http.StatusForbidden, "DENIED")
		if !w.held(manifest) {
			t.Errorf("a reader deleted %s", what)
		}
		w.expect("DELETE", at(manifest), alice, http.StatusAccepted, "")
		w.expect("DELETE", at(manifest), alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
		if w.held(manifest) {
			t.Errorf("%s stayed", what)
		}
	}
	for _, tag := range []string{"buildcache", "buildcache-too"} {
		w.expect("GET", "/v2/alice/app/manifests/"+tag, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	}
	var list ocispec.Index
	w.must(json.Unmarshal(w.expect("GET", "/v2/alice/app/referrers/"+digestOf(plain), alice, http.StatusOK, "").body, &list))
	if len(list.Manifests) != 1 || list.Manifests[0].Digest.String() != digestOf(version) {
		t.Errorf("referrers %+v", list.Manifests)
	}

	signature := signatureOf(plain)
	for _, client := range [][]string{
		{"skopeo", "delete", "--tls-verify=false", "--creds", alice, w.app(":" + signature)},
		{"crane", "delete", "--insecure", w.host + "/alice/app:" + signature},
	} {
		w.run("crane", "auth", "login", w.host, "-u", "alice", "-p", password)
		w.manifest("alice/app", signature, "signature", nil)
		w.run(client[0], client[1:]...)
		w.expect("GET", "/v2/alice/app/manifests/"+signature, alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
		if out, err := w.try("skopeo", "delete", "--tls-verify=false", "--creds", alice, w.app(":1.0")); err == nil || !w.held(plain) {
			t.Errorf("a version was deleted: %v\n%s", err, out)
		}
	}
}

// countingStore counts how often an image's versions are listed from the first.
type countingStore struct {
	registry.Store
	lists int
}

func (s *countingStore) ListVersions(ctx context.Context, imageID int64, f catalog.VersionFilter) ([]catalog.Version, error) {
	s.lists++
	return s.Store.ListVersions(ctx, imageID, f)
}

// Of many that are deleted together the others are looked at once: each has as many others as an image has versions.
func TestVersionsAreDeletedTogether(t *testing.T) {
	w := newEnv(t)
	counted := &countingStore{Store: w.store}
	w.config.Store = counted
	w.restart()
	var gone []catalog.Version
	manifests := map[string][]byte{}
	for n := range 20 {
		name := fmt.Sprintf("%d.0", n)
		manifests[name] = w.manifest("alice/app", name, fmt.Sprint("content ", n%15), nil) // the last have what some of the others have
	}
	for n := range 15 {
		v := w.versionOf("alice/app", fmt.Sprintf("%d.0", n))
		w.must(w.store.DeleteVersion(t.Context(), v.ID, ""))
		gone = append(gone, v)
	}
	counted.lists = 0
	w.must(w.registry.DeleteVersions(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"}, gone))
	if counted.lists > 2 {
		t.Errorf("the versions were listed %d times", counted.lists)
	}
	for n := range 20 {
		if held, stays := w.held(manifests[fmt.Sprintf("%d.0", n)]), n < 5 || n >= 15; held != stays {
			t.Errorf("%d.0 is served by its digest: %t", n, held)
		}
	}
}
