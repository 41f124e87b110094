package registry_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

// admitted notes for what room was asked.
type admitted struct{ contents map[string]int64 }

func (a *admitted) ReserveBeside(_ context.Context, _ string, _, contents map[string]int64, _ catalog.Amounts) (func(), error) {
	if contents != nil {
		a.contents = contents
	}
	return func() {}, nil
}

func (a *admitted) bytes() (all int64) {
	for _, size := range a.contents {
		all += size
	}
	return all
}

// Room is asked for what a manifest really brings, whatever sizes it says: so it is for what an index lists, which was put before and was of
// no version.
func TestRoomForManifests(t *testing.T) {
	w, a := newEnv(t), &admitted{}
	w.config.Admission = a
	w.restart()
	w.image("alice", "app")
	one := w.manifest("alice/app", "", strings.Repeat("one", 10_000), nil)
	two := w.manifest("alice/app", "", strings.Repeat("two", 20_000), nil)
	index := w.index("v1", one, two)
	if a.bytes() < 90_000 || a.contents[digestOf(index)] == 0 {
		t.Errorf("for an index of 90,000 bytes asked for %d: %v", a.bytes(), a.contents)
	}

	var lie ocispec.Manifest
	w.must(json.Unmarshal(one, &lie))
	lie.Layers[0].Size = 1
	body, err := json.Marshal(lie)
	w.must(err)
	if got := w.put("/v2/alice/app/manifests/v2", ocispec.MediaTypeImageManifest, body); got.status == http.StatusCreated && a.bytes() < 30_000 {
		t.Errorf("for a layer of 30,000 bytes that is said to have 1 asked for %d: %v", a.bytes(), a.contents)
	}
}

// What is under a tag for caches stays, and takes room.
func TestTagged(t *testing.T) {
	w := newEnv(t)
	app := w.image("alice", "app")
	w.manifest("alice/app", "v1", strings.Repeat("version", 10_000), nil)
	cache := w.manifest("alice/app", "buildcache-1", strings.Repeat("cache", 10_000), nil)
	tagged, err := w.registry.Tagged(t.Context(), app)
	w.must(err)
	if size := tagged[digestOf([]byte(strings.Repeat("cache", 10_000)))]; size < 50_000 || tagged[digestOf(cache)] == 0 || len(tagged) != 3 {
		t.Errorf("%v: %v", slices.Sorted(maps.Keys(tagged)), tagged)
	}
	none, err := w.registry.Tagged(t.Context(), w.image("alice", "other"))
	if w.must(err); len(none) != 0 {
		t.Errorf("of an image without any: %v", none)
	}
}
