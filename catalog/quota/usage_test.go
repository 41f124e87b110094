package quota_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/quota"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
)

type env struct {
	testing.TB
	store    *sqlite.Store
	user     catalog.User
	contents map[string]map[string]int64 // by version
	measured int                         // versions that were looked at
}

func newEnv(t testing.TB) *env {
	e := &env{TB: t, store: sqlitetest.Open(t, t.TempDir()), contents: map[string]map[string]int64{}}
	var err error
	e.user, err = e.store.CreateUser(t.Context(), catalog.NewUser{Name: "ann"})
	e.must(err)
	return e
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) service(change ...func(*quota.Config)) *quota.Service {
	c := quota.Config{
		Store: e.store, Git: func(catalog.ImageRef) int64 { return 1000 }, Log: func(int64) int64 { return 10 },
		Contents: func(_ context.Context, _ catalog.Image, v catalog.Version) (map[string]int64, error) {
			e.measured++
			return e.contents[v.Name], nil
		},
	}
	for _, change := range change {
		change(&c)
	}
	return quota.New(c)
}

func (e *env) image(name string) catalog.Image {
	e.Helper()
	image, err := e.store.CreateImage(e.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: name}, OwnerID: e.user.ID})
	e.must(err)
	return image
}

// pushed makes a version that a user pushed, of some contents.
func (e *env) pushed(image catalog.Image, version string, contents map[string]int64) {
	e.Helper()
	e.contents[version] = contents
	_, err := e.store.RecordVersion(e.Context(), catalog.ReadyVersion{
		ImageID: image.ID, Version: version, Trigger: catalog.TriggerRegistry, UserID: e.user.ID, Digest: "sha256:" + version, Size: 1, At: time.Now(),
	})
	e.must(err)
}

func TestUsage(t *testing.T) {
	e := newEnv(t)
	app, web := e.image("app"), e.image("web")
	e.pushed(app, "v1", map[string]int64{"base": 100, "a": 1})
	e.pushed(app, "v2", map[string]int64{"base": 100, "b": 2})
	e.pushed(web, "v3", map[string]int64{"base": 100, "c": 4})
	s := e.service()
	for range 2 {
		use, err := s.Usage(t.Context(), "ANN")
		e.must(err)
		want := "{ann [{ann/app 2 3 100 1000 0} {ann/web 1 4 100 1000 0}] 107 2000 0 3 0 {0 0 0 0}}"
		if got := fmt.Sprint(use); got != want || use.Bytes() != 2107 {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if e.measured != 3 {
		t.Errorf("looked at %d versions in all", e.measured)
	}
	e.must(e.store.DeleteImage(t.Context(), web.ID))
	e.contents["v2"] = map[string]int64{"base": 100, "b": 2, "signature": 8}
	e.must(e.store.ForgetContents(t.Context(), app.ID, "b"))
	use, err := s.Usage(t.Context(), "ann")
	if e.must(err); use.Layers != 111 || use.Images[0].Own != 111 || use.Images[0].Shared != 0 {
		t.Errorf("after a deletion and a signature: %+v", use)
	}
	// What is under a tag that is no version counts as well, once where a version has it too.
	s = e.service(func(c *quota.Config) {
		c.Tagged = func(context.Context, catalog.Image) (map[string]int64, error) {
			return map[string]int64{"base": 100, "cache": 50}, nil
		}
	})
	use, err = s.Usage(t.Context(), "ann")
	if e.must(err); use.Layers != 161 || use.Images[0].Own != 161 {
		t.Errorf("with a cache: %+v", use)
	}
	// On a full disk it is told, too.
	e.must(e.store.ForgetContents(t.Context(), app.ID, "b"))
	s = e.service(func(c *quota.Config) { c.Store = fullStore{e.store} })
	use, err = s.Usage(t.Context(), "ann")
	if e.must(err); use.Layers != 111 {
		t.Errorf("on a full disk: %+v", use)
	}
	many := 2 * 500
	for i := range many { // more than are looked up together
		e.pushed(app, fmt.Sprint("m", i), map[string]int64{"base": 100, fmt.Sprint("m", i): 1})
	}
	e.measured = 0
	use, err = s.Usage(t.Context(), "ann")
	if e.must(err); use.Layers != int64(111+many) || e.measured != many+1 {
		t.Errorf("on a full disk, of %d versions: %d bytes, with %d looked at", many, use.Layers, e.measured)
	}
	if _, err := s.Usage(t.Context(), "nobody"); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("of nobody: %v", err)
	}
}

// BenchmarkUsage is of ten thousand versions.
func BenchmarkUsage(b *testing.B) {
	e := newEnv(b)
	for i := range 10 {
		image := e.image(fmt.Sprint("app", i))
		for v := range 1000 {
			e.pushed(image, fmt.Sprintf("v%d", v), map[string]int64{"base": 100, "second": 50, fmt.Sprint("l", i, v): 1, fmt.Sprint("c", i, v): 1, fmt.Sprint("m", i, v): 1})
		}
	}
	s := e.service()
	_, err := s.Usage(b.Context(), "ann")
	e.must(err)
	for b.Loop() {
		_, err := s.Usage(b.Context(), "ann")
		e.must(err)
	}
}

// fullStore is a store whose disk is full.
type fullStore struct{ *sqlite.Store }

func (fullStore) SetContents(context.Context, map[int64]map[string]int64) error {
	return catalog.Wrap(catalog.Unavailable, syscall.ENOSPC, "the disk is full")
}
