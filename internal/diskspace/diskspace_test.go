package diskspace

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const gib = 1 << 30

func TestNearlyFull(t *testing.T) {
	usual := Limits{MinFree: 2 * gib, MaxUsed: 90}
	for _, c := range []struct {
		name    string
		limits  Limits
		space   Space
		already bool
		want    string // is part of why
	}{
		{"an empty disk", usual, Space{Free: 99 * gib, Size: 100 * gib}, false, ""},
		{"at the part that may be used", usual, Space{Free: 10 * gib, Size: 100 * gib}, false, ""},
		{"more is used", usual, Space{Free: 10*gib - 100, Size: 100 * gib}, false, "10GiB of 100GiB are free, and 10GiB must be"},
		{"a small disk, by what is left", usual, Space{Free: gib, Size: 5 * gib}, false, "1GiB of 5GiB are free, and 2GiB must be"},
		{"a large disk, by the part", usual, Space{Free: 50 * gib, Size: 1000 * gib}, false, "100GiB must be"},
		{"again some room", usual, Space{Free: 10*gib + 1, Size: 100 * gib}, true, "10.5GiB must be"},
		{"again enough room", usual, Space{Free: 11 * gib, Size: 100 * gib}, true, ""},
		{"no part", Limits{MinFree: gib, MaxUsed: 100}, Space{Free: gib, Size: 1000 * gib}, false, ""},
		{"no limit at all", Limits{MaxUsed: 100}, Space{Size: 100 * gib}, false, ""},
		{"files", usual, Space{Free: 50 * gib, Size: 100 * gib, FreeFiles: 99, Files: 1000}, false, "room for 99 more of its 1000 files"},
		{"files that are not bounded", usual, Space{Free: 50 * gib, Size: 100 * gib}, false, ""},
	} {
		got := c.limits.Short(c.space, c.already)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	for _, size := range []int64{4 * gib, 100 * gib, 1000 * gib} {
		if left := usual.Short(Space{Free: usual.Enough(size), Size: size}, true); left != "" {
			t.Errorf("what is enough of %d is too little: %s", size, left)
		}
	}
}

// Other limits hold for who asks next.
func TestOtherLimits(t *testing.T) {
	now := time.Unix(1000, 0)
	var enough int64
	w := New(Config{
		Dir: "/", Limits: Limits{MinFree: 2 * gib, MaxUsed: 90}, Now: func() time.Time { return now },
		Of:   func(string) (Space, error) { return Space{Free: 50 * gib, Size: 100 * gib}, nil },
		Free: func(_ context.Context, bytes int64) { enough = bytes },
	})
	if err := w.Err(); err != nil {
		t.Fatal(err)
	}
	w.SetLimits(Limits{MinFree: 60 * gib, MaxUsed: 100})
	if err := w.Err(); !errors.Is(err, catalog.ErrNearlyFull) {
		t.Errorf("more must be free: %v", err)
	}
	if w.step(t.Context(), func(do func()) { do() }); enough != 66*gib {
		t.Errorf("%d bytes are to be free", enough)
	}
	w.SetLimits(Limits{MaxUsed: 100})
	if err := w.Err(); err != nil {
		t.Errorf("nothing must be free: %v", err)
	}
}

// A disk that fills refuses at once, has something removed once in a while, and opens by itself.
func TestWatcher(t *testing.T) {
	now, space, opened := time.Unix(1000, 0), Space{Free: 50 * gib, Size: 100 * gib}, 0
	var looks int
	var enough []int64
	w := New(Config{
		Dir: "/", Limits: Limits{MinFree: 2 * gib, MaxUsed: 90},
		Of:     func(string) (Space, error) { looks++; return space, nil },
		Free:   func(_ context.Context, bytes int64) { enough = append(enough, bytes) },
		Opened: func() { opened++ },
		Now:    func() time.Time { return now },
	})
	step := func() {
		var begun func()
		w.step(t.Context(), func(do func()) { begun = do })
		if begun != nil {
			begun()
		}
	}
	later := func(d time.Duration) { now = now.Add(d) }
	step()
	if err := w.Err(); err != nil || len(enough) != 0 {
		t.Fatalf("with room: %v, %v", err, enough)
	}
	looks = 0
	for range 100 {
		_ = w.Err()
	}
	if looks != 0 {
		t.Errorf("looked %d times within a moment", looks)
	}
	space.Free = 5 * gib
	later(time.Second)
	err := w.Err()
	if catalog.CodeOf(err) != catalog.Unavailable || !errors.Is(err, catalog.ErrNearlyFull) || !strings.Contains(catalog.MessageOf(err), "5GiB of 100GiB are free, and 10GiB must be") {
		t.Fatalf("nearly full: %v", err)
	}
	step()
	later(time.Minute)
	step()
	if len(enough) != 1 || enough[0] != 11*gib {
		t.Errorf("had removed %v", enough)
	}
	later(freeAgain)
	step()
	if len(enough) != 2 {
		t.Errorf("while it stays nearly full it had removed %v", enough)
	}
	space.Free = 20 * gib
	later(time.Second)
	if err := w.Err(); err != nil || opened != 1 {
		t.Errorf("with room again: %v, told %d times", err, opened)
	}
	space.Free = 5 * gib
	later(time.Second)
	step()
	if len(enough) != 3 {
		t.Errorf("nearly full another time it had removed %v", enough)
	}
}
