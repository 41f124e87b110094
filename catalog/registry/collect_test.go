package registry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
)

const grace = time.Hour

// age makes every blob, and what leads to it, look unused for longer than the grace time. What is on its way, or in the trash, is not.
func (e *env) age() {
	e.t.Helper()
	e.ageAll(filepath.Join(e.config.Dir, "docker"))
}

func (e *env) ageAll(dir string) {
	e.t.Helper()
	old := time.Now().Add(-2 * grace)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "_uploads" {
			return fs.SkipDir
		}
		if err == nil {
			err = os.Chtimes(path, old, old)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // collected meanwhile
		}
		return err
	})
	e.must(err)
}

// entries lists a directory.
func (e *env) entries(dir string) (names []string) {
	e.t.Helper()
	entries, err := os.ReadDir(dir)
	e.must(err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// breakManifest puts a directory in the place of a manifest, which can't be read.
func (e *env) breakManifest(manifest []byte) {
	e.t.Helper()
	hex := digestOf(manifest)[len("sha256:"):]
	path := filepath.Join(e.dir, "registry", "docker", "registry", "v2", "blobs", "sha256", hex[:2], hex, "data")
	e.must(os.Remove(path))
	e.must(os.Mkdir(path, 0o700))
}

func (e *env) collect(o registry.CollectOptions) registry.Collection {
	e.t.Helper()
	o.Grace = grace
	done, err := e.registry.Collect(e.t.Context(), o)
	e.must(err)
	return done
}

// deleteVersion deletes a version of alice/app.
func (e *env) deleteVersion(version string) {
	e.t.Helper()
	v := e.versionOf("alice/app", version)
	e.must(e.store.DeleteVersion(e.t.Context(), v.ID, ""))
	e.must(e.registry.DeleteVersion(e.t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"}, v))
	e.endRemovals()
}

// endRemovals frees the names of what was deleted.
func (e *env) endRemovals() {
	e.t.Helper()
	removals, err := e.store.Removals(e.t.Context())
	e.must(err)
	for _, r := range removals {
		e.must(e.store.EndRemoval(e.t.Context(), r.ID))
	}
}

// hasBlob reports whether alice/app serves a blob.
func (e *env) hasBlob(content string) bool {
	e.t.Helper()
	return e.request("HEAD", "/v2/alice/app/blobs/"+digestOf([]byte(content)), alice).status == http.StatusOK
}

func TestCollectKeepsWhatVersionsNeed(t *testing.T) {
	w := newEnv(t)
	w.manifest("alice/app", "1.0", "shared", nil)
	gone := w.manifest("alice/app", "2.0", "only 2.0", nil)
	kept := w.manifest("alice/app", "3.0", "only 3.0", nil)
	w.deleteVersion("2.0")
	if done := w.collect(registry.CollectOptions{}); done.Freed.Blobs != 0 {
		t.Errorf("fresh blobs went: %+v", done)
	}
	w.age()
	var uses []registry.VersionUse
	dry := w.collect(registry.CollectOptions{DryRun: true, Report: func(u registry.VersionUse) { uses = append(uses, u) }})
	if want := int64(len(gone) + len("only 2.0")); dry.Freed.Blobs != 2 || dry.Freed.Bytes != want || dry.Kept.Blobs != 5 {
		t.Errorf("a dry run tells %+v, want 2 blobs of %d bytes to go", dry, want)
	}
	config := int64(len(`{"architecture":"amd64","os":"linux"}`))
	if len(uses) != 2 || uses[0].Version != "3.0" || uses[0].Own != int64(len(kept)+len("only 3.0")) || uses[0].Bytes != uses[0].Own+config {
		t.Errorf("reported %+v", uses)
	}
	if done := w.collect(registry.CollectOptions{}); done != dry {
		t.Errorf("done %+v, announced %+v", done, dry)
	}
	w.expect("GET", "/v2/alice/app/manifests/"+digestOf(gone), alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	if w.hasBlob("only 2.0") || !w.hasBlob("only 3.0") || !w.hasBlob("shared") {
		t.Error("the wrong blobs went")
	}
	w.run("crane", "auth", "login", w.host, "-u", "alice", "-p", password)
	w.expect("GET", "/v2/alice/app/manifests/3.0", alice, http.StatusOK, "")
	// What went can come again.
	w.manifest("alice/app", "2.1", "only 2.0", nil)
	if !w.hasBlob("only 2.0") {
		t.Error("a blob that went once can't come again")
	}
}

// tree lists all there is below a directory.
func (e *env) tree(dir string) (paths []string) {
	e.t.Helper()
	e.must(filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, strings.TrimPrefix(path, dir))
		return err
	}))
	return paths
}

// Versions that come and go leave nothing: not their blobs alone, but what led to these.
func TestNothingIsLeftOfWhatWent(t *testing.T) {
	w := newEnv(t)
	comeAndGo := func(name string) {
		w.manifest("alice/app", name, "layer of "+name, nil)
		w.deleteVersion(name)
		for range 2 { // to the trash, and from it
			w.ageAll(w.config.Dir)
			w.collect(registry.CollectOptions{})
		}
	}
	w.manifest("alice/app", "stays", "layer that stays", nil)
	comeAndGo("1")
	before := w.tree(w.config.Dir)
	for i := range 5 {
		comeAndGo(fmt.Sprint(i + 2))
	}
	digits := regexp.MustCompile(`^/docker/registry/v2/blobs/sha256/[0-9a-f]{2}$`) // of which there are at most 256
	if left := slices.DeleteFunc(w.tree(w.config.Dir), func(path string) bool { return digits.MatchString(path) || slices.Contains(before, path) }); len(left) > 0 {
		t.Errorf("left of five versions:\n%s", strings.Join(left, "\n"))
	}
	if !w.hasBlob("layer that stays") {
		t.Error("a version lost its layer")
	}
}

func TestCollectKeepsIndexesAndSignatures(t *testing.T) {
	w := newEnv(t)
	child := w.manifest("alice/app", "", "child", nil)
	descriptor := func(data []byte) (d ocispec.Descriptor) {
		w.must(json.Unmarshal(fmt.Appendf(nil, `{"digest":%q,"size":%d,"mediaType":%q}`, digestOf(data), len(data), ocispec.MediaTypeImageManifest), &d))
		return d
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": []any{descriptor(child)}})
	w.must(err)
	if a := w.put("/v2/alice/app/manifests/1.0", ocispec.MediaTypeImageIndex, index); a.status != http.StatusCreated {
		t.Fatalf("push an index: %d %s", a.status, a.body)
	}
	subject := descriptor(child)
	signature := w.manifest("alice/app", "", "signature", &subject)
	second := descriptor(signature)
	w.manifest("alice/app", "", "signature of the signature", &second)
	w.manifest("alice/app", "", "stray", nil)
	w.age()
	if done := w.collect(registry.CollectOptions{}); done.Freed.Blobs != 2 {
		t.Errorf("freed %+v, want the stray manifest and its layer", done)
	}
	for _, content := range []string{"child", "signature", "signature of the signature"} {
		if !w.hasBlob(content) {
			t.Errorf("%q went", content)
		}
	}
	w.deleteVersion("1.0")
	w.age()
	w.collect(registry.CollectOptions{})
	for _, content := range []string{"child", "signature", "signature of the signature"} {
		if w.hasBlob(content) {
			t.Errorf("%q stayed", content)
		}
	}
	w.must(w.registry.Ping(t.Context()))
}

// A client that was told of an old blob does not send it again: it must be
// there when the manifest comes.
func TestCollectSparesWhatAPushWasToldOf(t *testing.T) {
	w := newEnv(t)
	w.manifest("alice/app", "1.0", "layer", nil)
	w.deleteVersion("1.0")
	for what, ask := range map[string]func(){
		"HEAD": func() { w.expect("HEAD", "/v2/alice/app/blobs/"+digestOf([]byte("layer")), alice, http.StatusOK, "") },
		"mount": func() {
			w.expect("POST", "/v2/alice/two/blobs/uploads/?from=alice/app&mount="+digestOf([]byte("layer")), alice, http.StatusCreated, "")
		},
		"upload": func() { w.blob("alice/app", []byte("layer")) },
	} {
		w.age()
		ask()
		w.collect(registry.CollectOptions{})
		if !w.hasBlob("layer") {
			t.Errorf("%s: the blob went under the push", what)
		}
		w.blob("alice/app", []byte(`{"architecture":"amd64","os":"linux"}`))
	}
}

// A build that was stopped after its push finds its tag and pushes nothing.
func TestCollectSparesWhatABuildFinds(t *testing.T) {
	w := newEnv(t)
	build, creds := w.start(w.image("alice", "app"), "1.0")
	pushed := w.push(w.archive(), "alice/app:1.0", creds)
	w.age()
	w.expect("HEAD", "/v2/alice/app/manifests/1.0", creds, http.StatusOK, "")
	if done := w.collect(registry.CollectOptions{}); done.Freed.Blobs != 0 {
		t.Errorf("freed %+v", done)
	}
	w.finish(build, pushed)
	w.run("crane", "auth", "login", w.host, "-u", "alice", "-p", password)
	w.run("crane", "validate", "--insecure", "--remote", w.host+"/alice/app:1.0")
}

// Pushes and sweeps at the same time: at the beginning of each push every blob
// may go, and only what the push is told of must stay.
func TestCollectBesidePushes(t *testing.T) {
	w := newEnv(t)
	stop := make(chan struct{})
	end := sync.OnceFunc(func() { close(stop) })
	defer end()
	var sweeper sync.WaitGroup
	freed := 0
	sweeper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				done, err := w.registry.Collect(t.Context(), registry.CollectOptions{Grace: grace})
				if err != nil {
					t.Errorf("collect: %v", err)
				}
				freed += done.Freed.Blobs
			}
		}
	})
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	reused := 0
	for i := range 12 {
		m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest}
		m.SchemaVersion = 2
		w.age()
		for n, content := range append([][]byte{config}, layers(8)...) {
			d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: digest.FromBytes(content), Size: int64(len(content))}
			if w.request("HEAD", "/v2/alice/app/blobs/"+d.Digest.String(), alice).status == http.StatusOK {
				reused++
			} else {
				w.blob("alice/app", content)
			}
			if n == 0 {
				m.Config = d
				m.Config.MediaType = ocispec.MediaTypeImageConfig
				continue
			}
			m.Layers = append(m.Layers, d)
		}
		data, err := json.Marshal(m)
		w.must(err)
		version := fmt.Sprintf("v%d", i)
		if a := w.put("/v2/alice/app/manifests/"+version, ocispec.MediaTypeImageManifest, data); a.status != http.StatusCreated {
			t.Fatalf("push %d: %d %s", i, a.status, a.body)
		}
		for _, content := range layers(8) {
			if !w.hasBlob(string(content)) {
				t.Fatalf("push %d lost a layer", i)
			}
		}
		w.deleteVersion(version)
	}
	end()
	sweeper.Wait()
	if freed == 0 || reused == 0 {
		t.Errorf("%d blobs went and %d were used again: the two never met", freed, reused)
	}
}

func layers(n int) (all [][]byte) {
	for i := range n {
		all = append(all, fmt.Appendf(nil, "layer %d", i))
	}
	return all
}
