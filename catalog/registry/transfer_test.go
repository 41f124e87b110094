package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
)

// transferred gives alice/app to bob, whose admin alice is, in the catalog alone.
func (e *env) transferred() catalog.Move {
	e.t.Helper()
	e.must(e.store.SetMember(e.t.Context(), "bob", e.alice.ID, catalog.RoleAdmin))
	image, err := e.store.Image(e.t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"})
	e.must(err)
	moves, err := e.store.TransferImage(e.t.Context(), image, "bob")
	e.must(err)
	return moves[0]
}

// stray leaves an upload of no image where the files of one are.
func (e *env) stray(repository string) (file string) {
	e.t.Helper()
	file = filepath.Join(e.dir, "registry/docker/registry/v2/repositories", repository, "_uploads/stray/data")
	e.must(os.MkdirAll(filepath.Dir(file), 0o700))
	e.must(os.WriteFile(file, nil, 0o600))
	return file
}

// However often moving begins, and whatever comes by either name meanwhile, all of the image is there by the new name, and nothing else.
func TestRename(t *testing.T) {
	e := newEnv(t)
	image := e.manifest("alice/app", "1.0", "a layer", nil)
	var subject ocispec.Descriptor
	e.must(json.Unmarshal(fmt.Appendf(nil, `{"digest":%q,"size":%d,"mediaType":%q}`, digestOf(image), len(image), ocispec.MediaTypeImageManifest), &subject))
	signature := e.manifest("alice/app", "", "a signature", &subject)
	e.manifest("alice/app", "buildcache", "a cache", nil)
	before := e.stray("bob/app")
	move := e.transferred()
	e.expect("GET", "/v2/bob/app/manifests/1.0", alice, http.StatusServiceUnavailable, "UNAVAILABLE")
	if _, err := e.registry.Collect(t.Context(), registry.CollectOptions{Grace: grace}); catalog.CodeOf(err) != catalog.Unavailable {
		t.Errorf("a collection while files are moved: %v", err)
	}

	// The first time it ends in the middle.
	inTheWay := filepath.Join(e.dir, "registry/referrers/bob")
	e.must(os.WriteFile(inTheWay, nil, 0o600))
	if err := e.registry.Rename(t.Context(), move.From, move.To); err == nil {
		t.Fatal("a file is in the way, and nothing is wrong")
	}
	e.must(os.Remove(inTheWay))
	for range 2 {
		meanwhile := e.stray("alice/app")
		e.must(e.registry.Rename(t.Context(), move.From, move.To))
		for _, file := range []string{before, meanwhile} {
			if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is there: %v", file, err)
			}
		}
	}
	e.must(e.store.EndMove(t.Context(), move.ID))
	e.must(e.registry.EndRename(move.To))
	e.must(e.registry.EndRename(move.To)) // as after a crash

	e.expect("GET", "/v2/bob/app/manifests/1.0", alice, http.StatusOK, "")
	e.expect("GET", "/v2/bob/app/manifests/buildcache", alice, http.StatusOK, "")
	e.expect("GET", "/v2/bob/app/blobs/"+digestOf([]byte("a layer")), alice, http.StatusOK, "")
	if listed := e.expect("GET", "/v2/bob/app/referrers/"+digestOf(image), alice, http.StatusOK, ""); !strings.Contains(string(listed.body), digestOf(signature)) {
		t.Errorf("referrers: %s", listed.body)
	}
	for _, path := range []string{"manifests/1.0", "manifests/" + digestOf(image), "blobs/" + digestOf([]byte("a layer")), "tags/list"} {
		e.expect("GET", "/v2/alice/app/"+path, alice, http.StatusNotFound, "NAME_UNKNOWN")
	}
	e.expect("POST", "/v2/alice/app/blobs/uploads/", alice, http.StatusNotFound, "NAME_UNKNOWN")
	err := filepath.WalkDir(filepath.Join(e.dir, "registry"), func(path string, _ os.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(path), ".moving") {
			t.Errorf("%s is left", path)
		}
		return err
	})
	e.must(err)
	e.age()
	if done := e.collect(registry.CollectOptions{}); done.Freed.Blobs != 0 {
		t.Errorf("a collection took %+v", done)
	}
}

// What was begun by the old name is refused, and becomes no version of the image that goes by another.
func TestPushWhileAnImageIsTransferred(t *testing.T) {
	for _, moved := range []bool{false, true} {
		e := newEnv(t)
		body := e.manifest("alice/app", "1.0", "a layer", nil)
		var move catalog.Move
		e.config.Admission = admission(func() {
			move = e.transferred()
			if moved {
				e.must(e.registry.Rename(t.Context(), move.From, move.To))
			}
		})
		e.restart()
		stale := must(e.store.Image(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"}))(t)
		got := e.put("/v2/alice/app/manifests/2.0", ocispec.MediaTypeImageManifest, body)
		if got.status != http.StatusNotFound || !strings.Contains(string(got.body), "image alice/app was transferred and is bob/app now") {
			t.Errorf("files moved: %t: a push that was begun before: %d %s", moved, got.status, got.body)
		}
		if versions := must(e.store.ListVersions(t.Context(), move.ImageID, catalog.VersionFilter{}))(t); len(versions) != 1 {
			t.Errorf("files moved: %t: the image has versions %+v", moved, versions)
		}
		if err := e.registry.Attach(t.Context(), stale, digestOf(body)); catalog.CodeOf(err) != catalog.Moved {
			t.Errorf("attached by the old name: %v", err) // and not as of a version that was deleted
		}
		e.must(e.registry.Rename(t.Context(), move.From, move.To))
		e.must(e.store.EndMove(t.Context(), move.ID))
		e.must(e.registry.EndRename(move.To))
		e.expect("GET", "/v2/bob/app/manifests/"+digestOf(body), alice, http.StatusOK, "")
	}
}

// admission has room for anything, and is told when a manifest's body has arrived.
type admission func()

func (a admission) ReserveBeside(_ context.Context, _ string, _, contents map[string]int64, _ catalog.Amounts) (func(), error) {
	if contents != nil {
		a()
	}
	return func() {}, nil
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
