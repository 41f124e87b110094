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

	"github.com/distribution/distribution/v3/manifest/manifestlist"
	"github.com/distribution/distribution/v3/manifest/schema2"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
)

const nonDistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar"

// put sends a body as alice.
func (e *env) put(path, contentType string, body []byte) answer {
	e.t.Helper()
	return e.send(http.MethodPut, path, contentType, body)
}

// send sends a body as alice, by any method.
func (e *env) send(method, path, contentType string, body []byte) answer {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, "http://"+e.host+path, bytes.NewReader(body))
	e.must(err)
	req.Header.Set("Content-Type", contentType)
	req.SetBasicAuth("alice", password)
	resp, err := http.DefaultClient.Do(req)
	e.must(err)
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	e.must(err)
	e.must(resp.Body.Close())
	return answer{status: resp.StatusCode, header: resp.Header, body: text.Bytes()}
}

func digestOf(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// blob uploads bytes as alice.
func (e *env) blob(repository string, data []byte) ocispec.Descriptor {
	e.t.Helper()
	at := e.expect("POST", "/v2/"+repository+"/blobs/uploads/", alice, http.StatusAccepted, "").header.Get("Location")
	if i := strings.Index(at, "/v2/"); i > 0 {
		at = at[i:]
	}
	a := e.put(at+"&digest="+digestOf(data), "application/octet-stream", data)
	if a.status != http.StatusCreated {
		e.t.Fatalf("upload a blob: %d %s", a.status, a.body)
	}
	var d ocispec.Descriptor
	e.must(json.Unmarshal(fmt.Appendf(nil, `{"digest":%q,"size":%d,"mediaType":"application/octet-stream"}`, digestOf(data), len(data)), &d))
	return d
}

// manifest pushes a one-layer manifest and returns its bytes.
func (e *env) manifest(repository, ref, content string, subject *ocispec.Descriptor) []byte {
	e.t.Helper()
	return e.manifestOf(repository, ref, []byte(`{"architecture":"amd64","os":"linux"}`), content, subject)
}

// manifestOf is manifest with a configuration.
func (e *env) manifestOf(repository, ref string, configuration []byte, content string, subject *ocispec.Descriptor) []byte {
	e.t.Helper()
	config := e.blob(repository, configuration)
	config.MediaType = ocispec.MediaTypeImageConfig
	layer := e.blob(repository, []byte(content))
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{layer}, Subject: subject}
	m.SchemaVersion = 2
	if subject != nil {
		m.ArtifactType = "application/test"
	}
	data, err := json.Marshal(m)
	e.must(err)
	if ref == "" {
		ref = digestOf(data)
	}
	a := e.put("/v2/"+repository+"/manifests/"+ref, ocispec.MediaTypeImageManifest, data)
	if a.status != http.StatusCreated || a.header.Get("Docker-Content-Digest") != digestOf(data) {
		e.t.Fatalf("push %s: %d %s", ref, a.status, a.body)
	}
	if subject != nil && a.header.Get("OCI-Subject") != subject.Digest.String() {
		e.t.Errorf("OCI-Subject is %q", a.header.Get("OCI-Subject"))
	}
	return data
}

func (e *env) versionOf(repository, version string) catalog.Version {
	e.t.Helper()
	namespace, name, _ := strings.Cut(repository, "/")
	image, err := e.store.Image(e.t.Context(), catalog.ImageRef{Namespace: namespace, Name: name})
	e.must(err)
	v, err := e.store.Version(e.t.Context(), image.ID, version)
	e.must(err)
	return v
}

func TestUserPushBecomesAVersion(t *testing.T) {
	w := newEnv(t)
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

// What is no manifest is the client's mistake, and told as one.
func TestNoManifest(t *testing.T) {
	w := newEnv(t)
	w.image("alice", "app")
	for _, body := range []string{"", "no JSON", "{}", "[]", `{"schemaVersion":1,"name":"alice/app","tag":"1.0"}`, `{"schemaVersion":"2"}`} {
		a := w.put("/v2/alice/app/manifests/1.0", ocispec.MediaTypeImageManifest, []byte(body))
		if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "MANIFEST_INVALID") {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
}

// A layer that is to be had elsewhere alone is refused in words, as by the library, which has none for it. Whatever is
// sent and carries no address is kept.
func TestNonDistributableLayers(t *testing.T) {
	w := newEnv(t)
	config, layer := w.blob("alice/app", []byte("{}")), w.blob("alice/app", []byte("layer"))
	config.MediaType = ocispec.MediaTypeImageConfig
	docker := []string{schema2.MediaTypeManifest, schema2.MediaTypeForeignLayer}
	for _, row := range []struct {
		name     string
		manifest string
		layer    string
		urls     []string
		missing  bool // the layer was not sent
		status   int
		code     string
	}{
		{"not sent", ocispec.MediaTypeImageManifest, nonDistributable + "+gzip", []string{"https://example.com/layer"}, true, 400, "MANIFEST_INVALID"},
		{"plain, not sent", ocispec.MediaTypeImageManifest, nonDistributable, []string{"https://example.com/layer"}, true, 400, "MANIFEST_INVALID"},
		{"sent", ocispec.MediaTypeImageManifest, nonDistributable + "+gzip", []string{"https://example.com/layer"}, false, 400, "MANIFEST_INVALID"},
		{"usual layer with address", ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageLayerGzip, []string{"https://example.com/layer"}, false, 400, "MANIFEST_INVALID"},
		{"no address", ocispec.MediaTypeImageManifest, nonDistributable + "+gzip", nil, false, 201, ""},
		{"no address, not sent", ocispec.MediaTypeImageManifest, nonDistributable + "+gzip", nil, true, 400, "MANIFEST_BLOB_UNKNOWN"},
		{"zstd", ocispec.MediaTypeImageManifest, nonDistributable + "+zstd", []string{"https://example.com/layer"}, false, 201, ""},
		{"zstd, not sent", ocispec.MediaTypeImageManifest, nonDistributable + "+zstd", []string{"https://example.com/layer"}, true, 400, "MANIFEST_BLOB_UNKNOWN"},
		{"Docker's", docker[0], docker[1], []string{"https://example.com/layer"}, true, 400, "MANIFEST_INVALID"},
		{"Docker's, sent", docker[0], docker[1], []string{"https://example.com/layer"}, false, 400, "MANIFEST_INVALID"},
		{"Docker's without address", docker[0], docker[1], nil, false, 400, "MANIFEST_INVALID"},
		{"Docker's in a manifest of OCI", ocispec.MediaTypeImageManifest, docker[1], nil, false, 201, ""},
	} {
		d := layer
		d.MediaType, d.URLs = row.layer, row.urls
		if row.missing {
			d.Digest = digest.Digest(digestOf([]byte("lost")))
		}
		m := ocispec.Manifest{MediaType: row.manifest, Config: config, Layers: []ocispec.Descriptor{d}}
		m.SchemaVersion = 2
		data, err := json.Marshal(m)
		w.must(err)
		a := w.put("/v2/alice/app/manifests/"+digestOf(data), row.manifest, data)
		if a.status != row.status || !strings.Contains(string(a.body), row.code) {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
		if row.code == "MANIFEST_INVALID" && !strings.Contains(string(a.body), "push the layer itself") {
			t.Errorf("%s: it is not said what to do: %s", row.name, a.body)
		}
	}
}

func TestUserPushNeedsTheRight(t *testing.T) {
	w := newEnv(t)
	w.image("alice", "app")
	reading, _, err := w.accounts.CreateToken(t.Context(), catalog.NewToken{UserID: w.alice.ID, Name: "ci", Scope: catalog.ScopeRead})
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
		{"/v2/alice/a.b/blobs/uploads/", alice, 400, "NAME_INVALID"},
		{"/v2/alice/charts/demo/blobs/uploads/", alice, 400, "NAME_INVALID"},
		{"/v2/alice/charts/more/demo/blobs/uploads/", alice, 400, "NAME_INVALID"},
		{"/v2/alice/a.b/blobs/uploads/?mount=" + digestOf(nil) + "&from=alice/app", alice, 400, "NAME_INVALID"},
		{"/v2/alice.b/app/blobs/uploads/", alice, 400, "NAME_INVALID"},
		{"/v2/app/blobs/uploads/", alice, 400, "NAME_INVALID"},
		{"/v2/alice/new/blobs/uploads/", alice, 202, ""},
	} {
		a := w.expect("POST", c.path, c.creds, c.status, c.code)
		if c.status == http.StatusBadRequest && !strings.Contains(a.text, "name") {
			t.Errorf("%s is refused with %q", c.path, a.text)
		}
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
	w := newEnv(t)
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
	layers := strings.Repeat(`,{"digest":"`+digestOf([]byte("x"))+`","size":1}`, 4000)
	for what, body := range map[string]string{
		"bytes":  strings.Repeat("\x00", 5<<20),
		"values": `{"schemaVersion":2,"layers":[{}` + strings.Repeat(`,{}`, 100_000) + `]}`,
		"layers": strings.Replace(string(data), `"layers":[`, `"layers":[`+layers[1:]+",", 1),
		"images": `{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[{}` + layers + `]}`,
	} {
		if a := w.put("/v2/alice/app/manifests/large", ocispec.MediaTypeImageManifest, []byte(body)); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("a manifest of many %s: %d %.300s", what, a.status, a.body)
		}
	}
}

func TestMultiPlatformIndex(t *testing.T) {
	w := newEnv(t)
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

// A manifest list of Docker's is a list whatever else it says. The app neither keeps it for a manifest nor looks whether
// the repository holds the layers that it names.
func TestManifestListWithLayers(t *testing.T) {
	w := newEnv(t)
	foreign := w.blob("alice/secret", bytes.Repeat([]byte("secret"), 1000))
	child := w.manifest("alice/multi", "", "content", nil)
	data := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[{"digest":%q,"size":%d,"mediaType":%q,"platform":{"os":"linux","architecture":"amd64"}}],"layers":[{"digest":%q,"size":1}],"config":{"digest":%q,"size":1}}`,
		manifestlist.MediaTypeManifestList, digestOf(child), len(child), ocispec.MediaTypeImageManifest, foreign.Digest, foreign.Digest)
	if a := w.put("/v2/alice/multi/manifests/1.0", manifestlist.MediaTypeManifestList, data); a.status != http.StatusCreated {
		t.Fatalf("push a list: %d %s", a.status, a.body)
	}
	want := int64(len(data) + len(child) + len(`{"architecture":"amd64","os":"linux"}`) + len("content"))
	if v := w.versionOf("alice/multi", "1.0"); v.Size != want {
		t.Errorf("it has %d bytes, want %d", v.Size, want)
	}
	w.age()
	if _, err := w.registry.Collect(t.Context(), registry.CollectOptions{Grace: grace, Force: true}); err != nil {
		t.Fatal(err)
	}
	w.expect("GET", "/v2/alice/multi/manifests/"+digestOf(child), alice, http.StatusOK, "")
	w.expect("GET", "/v2/alice/multi/blobs/"+digestOf([]byte("content")), alice, http.StatusOK, "")
}

func TestReferrers(t *testing.T) {
	w := newEnv(t)
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
