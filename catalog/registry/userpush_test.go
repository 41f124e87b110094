package registry_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

// put sends a body as alice.
func (w *world) put(path, contentType string, body []byte) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPut, "http://"+w.host+path, bytes.NewReader(body))
	w.must(err)
	req.Header.Set("Content-Type", contentType)
	req.SetBasicAuth("alice", password)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	w.must(err)
	w.must(resp.Body.Close())
	return answer{status: resp.StatusCode, header: resp.Header, body: text.Bytes()}
}

func digestOf(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// blob uploads bytes as alice.
func (w *world) blob(repository string, data []byte) ocispec.Descriptor {
	w.t.Helper()
	at := w.expect("POST", "/v2/"+repository+"/blobs/uploads/", alice, http.StatusAccepted, "").header.Get("Location")
	if i := strings.Index(at, "/v2/"); i > 0 {
		at = at[i:]
	}
	a := w.put(at+"&digest="+digestOf(data), "application/octet-stream", data)
	if a.status != http.StatusCreated {
		w.t.Fatalf("upload a blob: %d %s", a.status, a.body)
	}
	var d ocispec.Descriptor
	w.must(json.Unmarshal(fmt.Appendf(nil, `{"digest":%q,"size":%d,"mediaType":"application/octet-stream"}`, digestOf(data), len(data)), &d))
	return d
}

// manifest pushes a one-layer manifest and returns its bytes.
func (w *world) manifest(repository, ref, content string, subject *ocispec.Descriptor) []byte {
	w.t.Helper()
	config := w.blob(repository, []byte(`{"architecture":"amd64","os":"linux"}`))
	config.MediaType = ocispec.MediaTypeImageConfig
	layer := w.blob(repository, []byte(content))
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{layer}, Subject: subject}
	m.SchemaVersion = 2
	if subject != nil {
		m.ArtifactType = "application/test"
	}
	data, err := json.Marshal(m)
	w.must(err)
	if ref == "" {
		ref = digestOf(data)
	}
	a := w.put("/v2/"+repository+"/manifests/"+ref, ocispec.MediaTypeImageManifest, data)
	if a.status != http.StatusCreated || a.header.Get("Docker-Content-Digest") != digestOf(data) {
		w.t.Fatalf("push %s: %d %s", ref, a.status, a.body)
	}
	if subject != nil && a.header.Get("OCI-Subject") != subject.Digest.String() {
		w.t.Errorf("OCI-Subject is %q", a.header.Get("OCI-Subject"))
	}
	return data
}

func (w *world) versionOf(repository, version string) catalog.Version {
	w.t.Helper()
	namespace, name, _ := strings.Cut(repository, "/")
	image, err := w.store.Image(w.t.Context(), catalog.ImageRef{Namespace: namespace, Name: name})
	w.must(err)
	v, err := w.store.Version(w.t.Context(), image.ID, version)
	w.must(err)
	return v
}

func TestUserPushBecomesAVersion(t *testing.T) {
	w := newWorld(t)
	archive := w.archive()
	digest := w.push(archive, "alice/new:1.0", alice)
	v := w.versionOf("alice/new", "1.0")
	if v.State != catalog.Built || v.Trigger != catalog.TriggerRegistry || v.Digest != digest || v.Size < 200 {
		t.Errorf("recorded %+v", v)
	}
	w.run("skopeo", "copy", "--src-tls-verify=false", "--src-creds", alice, "docker://"+w.host+"/alice/new:1.0", "dir:"+t.TempDir())
	if tags := tagsOf(t, w.request("GET", "/v2/alice/new/tags/list", alice)); len(tags) != 1 {
		t.Errorf("tags %v", tags)
	}
	// The same again is no change; another image is one.
	w.push(archive, "alice/new:1.0", alice)
	if out, err := w.try("skopeo", "copy", "--dest-tls-verify=false", "--dest-creds", alice, "docker-archive:"+w.archive(), "docker://"+w.host+"/alice/new:1.0"); err == nil {
		t.Errorf("a built version changed:\n%s", out)
	}
	if again := w.versionOf("alice/new", "1.0"); again != v {
		t.Errorf("the version became %+v", again)
	}
	w.run("crane", "auth", "login", w.host, "-u", "alice", "-p", password)
	w.run("crane", "push", "--insecure", w.archive(), w.host+"/alice/new:2.0")
	w.run("crane", "validate", "--insecure", "--remote", w.host+"/alice/new:2.0")
	if v := w.versionOf("alice/new", "2.0"); v.State != catalog.Built {
		t.Errorf("crane's push is %s", v.State)
	}
}

func TestUserPushNeedsTheRight(t *testing.T) {
	w := newWorld(t)
	w.image("alice", "app")
	reading, _, err := w.accounts.CreateToken(t.Context(), w.alice.ID, "ci", catalog.ScopeRead, time.Time{})
	w.must(err)
	for _, c := range []struct {
		path, creds string
		status      int
		code        string
	}{
		{"/v2/alice/app/blobs/uploads/", bob, 404, "NAME_UNKNOWN"},
		{"/v2/alice/new/blobs/uploads/", bob, 404, "NAME_UNKNOWN"},
		{"/v2/nobody/new/blobs/uploads/", alice, 404, "NAME_UNKNOWN"},
		{"/v2/alice/app/blobs/uploads/", "alice:" + reading, 403, "DENIED"},
		{"/v2/alice/new/blobs/uploads/", "alice:" + reading, 403, "DENIED"},
		{"/v2/alice/a.b/blobs/uploads/", alice, 400, "UNSUPPORTED"},
		{"/v2/alice/new/blobs/uploads/", alice, 202, ""},
	} {
		w.expect("POST", c.path, c.creds, c.status, c.code)
	}
	if _, err := w.store.Image(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "new"}); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("an upload that was only begun made an image: %v", err)
	}
	w.must(w.store.SetMember(t.Context(), "alice", mustUser(w, "bob").ID, catalog.RoleRead))
	w.expect("PUT", "/v2/alice/app/manifests/1.0", bob, http.StatusForbidden, "DENIED")
	w.must(w.store.SetMember(t.Context(), "alice", mustUser(w, "bob").ID, catalog.RoleWrite))
	w.push(w.archive(), "alice/app:1.0", bob)
	if v := w.versionOf("alice/app", "1.0"); v.State != catalog.Built {
		t.Errorf("a writer's push is %s", v.State)
	}
}

func TestUserPushAndBuildsOfOneVersion(t *testing.T) {
	w := newWorld(t)
	image := w.image("alice", "app")
	build, _ := w.start(image, "1.0")
	data := w.manifest("alice/app", "other", "x", nil)
	a := w.expect("PUT", "/v2/alice/app/manifests/1.0", alice, http.StatusConflict, "DENIED")
	if !strings.Contains(a.text, "being built") {
		t.Errorf("refused with %q", a.text)
	}
	w.must(w.store.FinishBuild(t.Context(), build.ID, "test", catalog.BuildResult{Outcome: catalog.OutcomeUserError, EndedAt: time.Now()}))
	if a := w.put("/v2/alice/app/manifests/1.0", ocispec.MediaTypeImageManifest, data); a.status != http.StatusCreated {
		t.Errorf("over a failed version: %d %s", a.status, a.body)
	}
	if v := w.versionOf("alice/app", "1.0"); v.State != catalog.Built || v.Digest != digestOf(data) || v.Size != int64(len(data)+len(`{"architecture":"amd64","os":"linux"}`)+1) {
		t.Errorf("recorded %+v", v)
	}
	for ref, body := range map[string]string{"bad": "no json", "-x": string(data), "lost": strings.Replace(string(data), digestOf([]byte("x")), digestOf([]byte("y")), 1)} {
		if a := w.put("/v2/alice/app/manifests/"+ref, ocispec.MediaTypeImageManifest, []byte(body)); a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d %s", ref, a.status, a.body)
		}
	}
	if a := w.put("/v2/alice/app/manifests/large", ocispec.MediaTypeImageManifest, make([]byte, 5<<20)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large manifest: %d %s", a.status, a.body)
	}
}

func TestMultiPlatformIndex(t *testing.T) {
	w := newWorld(t)
	w.run("crane", "auth", "login", w.host, "-u", "alice", "-p", password)
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
	index.SchemaVersion = 2
	for _, arch := range []string{"amd64", "arm64"} {
		child := w.manifest("alice/multi", "", arch, nil)
		var d ocispec.Descriptor
		w.must(json.Unmarshal(fmt.Appendf(nil, `{"digest":%q,"size":%d,"mediaType":%q,"platform":{"os":"linux","architecture":%q}}`,
			digestOf(child), len(child), ocispec.MediaTypeImageManifest, arch), &d))
		index.Manifests = append(index.Manifests, d)
	}
	data, err := json.Marshal(index)
	w.must(err)
	if a := w.put("/v2/alice/multi/manifests/1.0", ocispec.MediaTypeImageIndex, data); a.status != http.StatusCreated {
		t.Fatalf("push an index: %d %s", a.status, a.body)
	}
	v := w.versionOf("alice/multi", "1.0")
	want := int64(len(data) + len(`{"architecture":"amd64","os":"linux"}`) + len("amd64arm64"))
	for _, m := range index.Manifests {
		want += m.Size
	}
	if v.State != catalog.Built || v.Digest != digestOf(data) || v.Size != want {
		t.Errorf("recorded %+v, want %d bytes", v, want)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if out := w.run("crane", "manifest", "--insecure", "--platform", "linux/"+arch, w.host+"/alice/multi:1.0"); !strings.Contains(out, digestOf([]byte(arch))) {
			t.Errorf("%s pulls %s", arch, out)
		}
	}
}

func TestReferrers(t *testing.T) {
	w := newWorld(t)
	image := w.manifest("alice/app", "1.0", "x", nil)
	var subject ocispec.Descriptor
	w.must(json.Unmarshal(fmt.Appendf(nil, `{"digest":%q,"size":%d,"mediaType":%q}`, digestOf(image), len(image), ocispec.MediaTypeImageManifest), &subject))
	at := "/v2/alice/app/referrers/" + digestOf(image)
	list := func(path string) ocispec.Index {
		t.Helper()
		a := w.expect("GET", path, alice, http.StatusOK, "")
		var index ocispec.Index
		if err := json.Unmarshal(a.body, &index); err != nil || a.header.Get("Content-Type") != ocispec.MediaTypeImageIndex || index.SchemaVersion != 2 || index.Manifests == nil {
			t.Fatalf("%v in %s", err, a.body)
		}
		return index
	}
	if got := list(at); len(got.Manifests) != 0 {
		t.Errorf("before any: %+v", got)
	}
	signature := w.manifest("alice/app", "", "signature", &subject)
	got := list(at).Manifests
	if len(got) != 1 || got[0].Digest.String() != digestOf(signature) || got[0].ArtifactType != "application/test" || got[0].Size != int64(len(signature)) {
		t.Errorf("got %+v", got)
	}
	if got := list(at + "?artifactType=application/other").Manifests; len(got) != 0 {
		t.Errorf("filtered: %+v", got)
	}
	w.expect("GET", at, bob, http.StatusNotFound, "NAME_UNKNOWN")
	w.expect("GET", "/v2/alice/app/referrers/x", alice, http.StatusBadRequest, "UNSUPPORTED")
}
