package sqlite_test

import (
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
)

// TestEventsBehind follows the events that a consumer has not dealt with, also when it has come further than the events there are: those that it
// dealt with go when their time has ended.
func TestEventsBehind(t *testing.T) {
	s := sqlitetest.Open(t, t.TempDir())
	ctx := t.Context()
	want := func(when string, want int64) {
		t.Helper()
		if got, err := s.EventsBehind(ctx, "consumer"); err != nil || got != want {
			t.Errorf("%s: %d events behind, %v; want %d", when, got, err, want)
		}
	}
	want("without events", 0)
	for _, name := range []string{"ann", "bob", "cyd"} { // each becomes a member of a namespace, which is an event
		if _, err := s.CreateUser(ctx, catalog.NewUser{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	events, err := s.EventsAfter(ctx, "", 0, 0)
	if err != nil || len(events) < 3 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	want("before its first", int64(len(events)))
	for i, e := range events {
		if err := s.SetCursor(ctx, "consumer", e.ID); err != nil {
			t.Fatal(err)
		}
		want("on its way", int64(len(events)-i-1))
	}
	if err := s.PruneEvents(ctx, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	want("when all events have ended their time", 0)
	if _, err := s.CreateUser(ctx, catalog.NewUser{Name: "dan"}); err != nil {
		t.Fatal(err)
	}
	want("at the next one", 1)
}
