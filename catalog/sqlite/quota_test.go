package sqlite

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// quotaEnv is a store with an image of ann, and a clock.
func quotaEnv(t *testing.T, q catalog.Quota) (s *Store, at *time.Time, ask func(version string) error) {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "fandogh.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	now := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	s.now = func() time.Time { return now }
	s.SetLimits(catalog.Limits{Quota: q})
	user, err := s.CreateUser(t.Context(), catalog.NewUser{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	image, err := s.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "app"}, OwnerID: user.ID})
	if err != nil {
		t.Fatal(err)
	}
	return s, &now, func(version string) error {
		_, err := s.QueueBuilds(t.Context(), []catalog.NewBuild{{ImageID: image.ID, Version: version, Trigger: catalog.TriggerPush, Commit: "0123456789012345678901234567890123456789"}})
		return err
	}
}

// TestQuotaOfParallelRequests has more requests at once than may succeed.
func TestQuotaOfParallelRequests(t *testing.T) {
	for name, q := range map[string]catalog.Quota{"versions": {Versions: 5}, "builds": {Builds: 5}} {
		t.Run(name, func(t *testing.T) {
			s, _, ask := quotaEnv(t, q)
			var all sync.WaitGroup
			var taken atomic.Int64
			for n := range 50 {
				all.Go(func() {
					switch err := ask(fmt.Sprint("v", n)); catalog.CodeOf(err) {
					case "":
						taken.Add(1)
					case catalog.Forbidden:
					default:
						t.Error(err)
					}
				})
			}
			all.Wait()
			image, err := s.Image(t.Context(), catalog.ImageRef{Namespace: "ann", Name: "app"})
			if err != nil {
				t.Fatal(err)
			}
			counts, err := s.CountVersions(t.Context(), 1)
			if err != nil || taken.Load() != 5 || counts[image.ID] != 5 {
				t.Errorf("%d were taken, %v are there, %v", taken.Load(), counts, err)
			}
		})
	}
}

// TestDayOfTheBuildQuota asks around midnight, and while clocks change, of which the quota knows nothing: it is of the 24 hours before.
func TestDayOfTheBuildQuota(t *testing.T) {
	_, now, ask := quotaEnv(t, catalog.Quota{Builds: 2})
	begin := *now
	for _, step := range []struct {
		after   time.Duration
		version string
		code    catalog.Code
	}{
		{0, "a", ""}, {23 * time.Hour, "b", ""}, {23*time.Hour + 59*time.Minute, "c", catalog.Forbidden}, // the next day, anywhere
		{24 * time.Hour, "c", catalog.Forbidden}, {24*time.Hour + time.Second, "c", ""}, {46 * time.Hour, "d", catalog.Forbidden},
		// The clock jumps forth and back: what was asked for meanwhile counts until it is a day old.
		{100 * time.Hour, "d", ""}, {30 * time.Hour, "e", catalog.Forbidden}, {47*time.Hour + time.Second, "e", catalog.Forbidden}, {49 * time.Hour, "e", ""},
	} {
		*now = begin.Add(step.after)
		if code := catalog.CodeOf(ask(step.version)); code != step.code {
			t.Errorf("%s after %s: %q, want %q", step.version, step.after, code, step.code)
		}
	}
}
