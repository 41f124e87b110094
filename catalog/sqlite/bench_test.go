package sqlite_test

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
)

// BenchmarkCatalog measures what must not grow with the catalog, with an image
// of 1,000 and of 1,000,000 versions, each with one build; one in a thousand
// failed and ten wait. Run: go test -run - -bench Catalog ./catalog/sqlite
func BenchmarkCatalog(b *testing.B) {
	for _, size := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, image := fill(b, size)
			benchReads(b, s, image, size)
			benchQueue(b, s, image)
		})
	}
}

// fill makes an image with versions by plain SQL: the store's own way, one
// durable transaction a build, would take an hour.
func fill(b *testing.B, size int) (*sqlite.Store, catalog.Image) {
	b.Helper()
	ctx, path := b.Context(), filepath.Join(b.TempDir(), "fandogh.db")
	s := sqlitetest.OpenFile(b, path)
	u, err := s.CreateUser(ctx, catalog.NewUser{Name: "ann"})
	if err != nil {
		b.Fatal(err)
	}
	image, err := s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "app"}, OwnerID: u.ID})
	if err != nil {
		b.Fatal(err)
	}
	db := plain(b, path)
	for _, statement := range []string{
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
			INSERT INTO versions (image_id, name, state, trigger_kind, commit_id, digest, size, created_at)
			SELECT 1, 'v' || i, iif(i % 1000 = 7, 'FAILED', 'BUILT'), 'push', printf('%040x', i), printf('sha256:%064x', i), i, i FROM n`,
		`INSERT INTO builds (version_id, number, trigger_kind, commit_id, user_id, options, state, outcome, attempts, queued_at, started_at, ended_at)
			SELECT id, 1, 'push', commit_id, 1, '{}', state, 'built', 1, id, id + 1, id + 2 FROM versions WHERE id <= ?1`,
	} {
		if _, err := db.ExecContext(ctx, statement, size); err != nil {
			b.Fatal(err)
		}
	}
	for n := range 10 {
		queueOne(b, s, image, fmt.Sprintf("waits%d", n))
	}
	return s, image
}

func queueOne(b *testing.B, s *sqlite.Store, image catalog.Image, version string) {
	b.Helper()
	if _, err := s.QueueBuilds(b.Context(), []catalog.NewBuild{{
		ImageID: image.ID, Version: version, Trigger: catalog.TriggerPush, Commit: "c0ffee",
	}}); err != nil {
		b.Fatal(err)
	}
}

func benchReads(b *testing.B, s *sqlite.Store, image catalog.Image, size int) {
	ctx := b.Context()
	list := func(before int64, states ...catalog.State) func() (int, error) {
		return func() (int, error) {
			got, err := s.ListVersions(ctx, image.ID, catalog.VersionFilter{States: states, Page: catalog.Page{Limit: 50, Before: before}})
			return len(got), err
		}
	}
	for _, c := range []struct {
		name string
		want int
		do   func() (int, error)
	}{
		{"newest 50 versions", 50, list(0)},
		{"50 versions from the middle", 50, list(int64(size / 2))},
		{"built", 50, list(0, catalog.Built)},
		{"failed, rare", min(50, size/1000), list(0, catalog.Failed)},
		{"waiting or running", 10, list(0, catalog.Pending, catalog.Building)},
		{"images", 1, func() (int, error) {
			got, err := s.ListImages(ctx, "ann", catalog.Page{})
			return len(got), err
		}},
		{"one version", 1, func() (int, error) {
			_, err := s.Version(ctx, image.ID, fmt.Sprintf("v%d", size/3))
			return 1, err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if got, err := c.do(); err != nil || got != c.want {
					b.Fatalf("got %d, %v, want %d", got, err, c.want)
				}
			}
		})
	}
}

// benchQueue takes builds from the queue and hands them back, and takes a new
// version to its end; each step is a durable transaction.
func benchQueue(b *testing.B, s *sqlite.Store, image catalog.Image) {
	ctx, now := b.Context(), time.Now()
	claim := func(b *testing.B) catalog.Build {
		build, err := s.ClaimBuild(ctx, "bench", math.MaxInt, now, now.Add(time.Hour))
		if err != nil {
			b.Fatal(err)
		}
		return build
	}
	b.Run("claim and release", func(b *testing.B) {
		for b.Loop() {
			if err := s.ReleaseBuild(ctx, claim(b).ID, "bench", time.Time{}, true); err != nil {
				b.Fatal(err)
			}
		}
	})
	n := 0
	b.Run("queue, claim and finish", func(b *testing.B) {
		for b.Loop() {
			n++
			queueOne(b, s, image, fmt.Sprintf("bench%d", n))
			result := catalog.BuildResult{Outcome: catalog.OutcomeBuilt, Digest: "sha256:d", EndedAt: now}
			if err := s.FinishBuild(ctx, claim(b).ID, "bench", result); err != nil {
				b.Fatal(err)
			}
		}
	})
}
