package mirror

import (
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestPrune(t *testing.T) {
	w := newWorld(t, nil)
	image, other, moved := made(t, 4<<10), made(t, 4<<10), made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	w.remote.push(t, "a/c:1", indexOf(other))
	w.pull("a/b", "1", image)
	w.ask("GET", "a/c/manifests/1")
	w.pullDigest("a/c", other)
	since := w.time()
	w.pass(time.Hour)
	w.remote.push(t, "a/b:1", moved)
	w.pull("a/b", "1", moved)
	for i, test := range []struct {
		filter catalog.MirrorFilter
		images int
	}{
		{catalog.MirrorFilter{Name: "ghcr.io/a/d"}, 0},
		{catalog.MirrorFilter{UnusedBefore: since}, 0},
		{catalog.MirrorFilter{Name: "ghcr.io/a/b:1", UnusedBefore: since.Add(time.Second)}, 0},
		{catalog.MirrorFilter{Name: "ghcr.io/a/b", UnusedBefore: since.Add(time.Second)}, 1},
		{catalog.MirrorFilter{Name: "ghcr.io/a/b@" + digestOf(t, image)}, 0},
		{catalog.MirrorFilter{Name: "ghcr.io/a/c:1"}, 1},
		{catalog.MirrorFilter{}, 1},
	} {
		before := w.mirror.store.total
		done, err := w.mirror.PruneMirrored(t.Context(), test.filter)
		if err != nil || done.Images != test.images || done.Bytes != before-w.mirror.store.total || done.Images > 0 != (done.Bytes > 0) {
			t.Errorf("%d: %+v, %v; want %d images", i, done, err, test.images)
		}
	}
	if left := append(w.files(blobsDir), w.files(recordsDir)...); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if _, err := w.mirror.PruneMirrored(t.Context(), catalog.MirrorFilter{Name: "not an image"}); catalog.CodeOf(err) != catalog.Invalid {
		t.Error(err)
	}
}
