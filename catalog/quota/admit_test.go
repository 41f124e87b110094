package quota_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/quota"
)

// What is asked for is held to what the namespace has then; contents count where it has not got them.
func TestAdmit(t *testing.T) {
	e := newEnv(t)
	app := e.image("app")
	e.pushed(app, "v1", map[string]int64{"base": 4000, "a": 1000})
	full := false
	s := e.service(func(c *quota.Config) {
		c.Quota = func() catalog.Quota { return catalog.Quota{Bytes: 1 << 20, Versions: 2} }
		c.Room = func() error {
			if full {
				return catalog.Wrap(catalog.Unavailable, catalog.ErrNearlyFull, "nearly full")
			}
			return nil
		}
	})
	admit := func(what string, contents map[string]int64, more catalog.Amounts, want string) {
		t.Helper()
		err := admitNow(t, s, contents, more)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(catalog.MessageOf(err), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	admit("a little", nil, catalog.Amounts{Bytes: 1 << 10, Versions: 1, Builds: 100}, "")
	if admit("nothing is measured where nothing is stored", nil, catalog.Amounts{Versions: 1}, ""); e.measured != 1 {
		t.Errorf("measured %d times", e.measured)
	}
	admit("versions", nil, catalog.Amounts{Versions: 2}, "has 1 versions, with this it would be 3, and its quota is 2")
	e.must(e.store.SetNamespaceLimits(t.Context(), "ann", catalog.NamespaceLimits{Quota: catalog.Quota{Bytes: 7000, Versions: catalog.NoQuota}}))
	admit("no quota of versions, for this one", nil, catalog.Amounts{Versions: 100}, "")
	admit("less than is left", nil, catalog.Amounts{Bytes: 1000}, "")
	admit("more than is left", nil, catalog.Amounts{Bytes: 1001}, "namespace ann uses 5.86KiB, and its quota is 6.84KiB")
	admit("what it has already", map[string]int64{"base": 4000, "a": 1000}, catalog.Amounts{}, "")
	admit("beside a little", map[string]int64{"base": 4000, "b": 1000}, catalog.Amounts{}, "")
	admit("beside too much", map[string]int64{"base": 4000, "b": 1001}, catalog.Amounts{}, "namespace ann uses")
	v, err := e.store.Version(t.Context(), app.ID, "v1")
	e.must(err)
	e.must(e.store.DeleteVersion(t.Context(), v.ID, ""))
	admit("when something was deleted", nil, catalog.Amounts{Bytes: 6000}, "")
	full = true
	if err := s.Admit(t.Context(), "ann", catalog.Amounts{}); !errors.Is(err, catalog.ErrNearlyFull) {
		t.Errorf("on a full disk: %v", err)
	}
}

func admitNow(t *testing.T, s *quota.Service, contents map[string]int64, more catalog.Amounts) error {
	t.Helper()
	release, err := s.Reserve(t.Context(), "ann", contents, more)
	if err == nil {
		release()
	}
	return err
}

// What comes at the same time is held to the quota together, and what several bring counts once.
func TestReserve(t *testing.T) {
	e := newEnv(t)
	e.image("app")
	s := e.service(func(c *quota.Config) { c.Quota = func() catalog.Quota { return catalog.Quota{Bytes: 11_000} } }) // 1,000 are git's
	const each, fit = 1000, 10
	releases, refused := make(chan func(), 40), atomic.Int64{}
	var all sync.WaitGroup
	for range cap(releases) {
		all.Go(func() {
			release, err := s.Reserve(t.Context(), "ann", nil, catalog.Amounts{Bytes: each})
			if err != nil {
				refused.Add(1)
				return
			}
			releases <- release
		})
	}
	all.Wait()
	if got := len(releases); got != fit || int64(got)+refused.Load() != int64(cap(releases)) {
		t.Errorf("%d were admitted at once, %d refused, and there is room for %d", got, refused.Load(), fit)
	}
	for len(releases) > 0 {
		(<-releases)()
	}
	// Who only asks is in nobody's way, nor is who is refused.
	for range 20 {
		all.Go(func() {
			if err := s.Admit(t.Context(), "ann", catalog.Amounts{Bytes: 9000}); err != nil {
				t.Error(err)
			}
			if _, err := s.Reserve(t.Context(), "ann", nil, catalog.Amounts{Bytes: 12_000}); err == nil {
				t.Error("more than fits was admitted")
			}
		})
	}
	all.Go(func() {
		for range 20 {
			release, err := s.Reserve(t.Context(), "ann", nil, catalog.Amounts{Bytes: 1000})
			if err != nil {
				t.Error(err)
				return
			}
			release()
		}
	})
	all.Wait()
	layer := map[string]int64{"layer": 9000}
	first, err := s.Reserve(t.Context(), "ann", layer, catalog.Amounts{})
	e.must(err)
	second, err := s.Reserve(t.Context(), "ann", layer, catalog.Amounts{Bytes: 1000})
	e.must(err)
	if err := s.Admit(t.Context(), "ann", catalog.Amounts{Bytes: 1}); err == nil || !strings.Contains(err.Error(), "namespace ann uses 10.74KiB") {
		t.Errorf("beside what is on its way: %v", err)
	}
	e.must(s.Admit(t.Context(), "ann", catalog.Amounts{Versions: 1}))
	first()
	second()
	e.must(s.Admit(t.Context(), "ann", catalog.Amounts{Bytes: 10_000}))
}

// However many are refused one after the other while somebody asks: they are in nobody's way.
func TestRefusedWhileAsked(t *testing.T) {
	e := newEnv(t)
	e.image("app")
	type held struct{ there, goOn, ended chan struct{} }
	type holdKey struct{}
	var s *quota.Service
	begin := func() *held {
		h := &held{make(chan struct{}), make(chan struct{}), make(chan struct{})}
		go func() {
			defer close(h.ended)
			if _, err := s.Reserve(context.WithValue(t.Context(), holdKey{}, h), "ann", nil, catalog.Amounts{Bytes: 12_000}); err == nil {
				t.Error("more than fits was admitted")
			}
		}()
		<-h.there
		return h
	}
	end := func(h *held) {
		close(h.goOn)
		<-h.ended
	}
	var other *held
	s = e.service(func(c *quota.Config) {
		c.Quota = func() catalog.Quota { return catalog.Quota{Bytes: 11_000} }
		c.Tagged = func(ctx context.Context, _ catalog.Image) (map[string]int64, error) {
			if h, is := ctx.Value(holdKey{}).(*held); is {
				close(h.there)
				<-h.goOn
				return nil, nil
			}
			end(other)
			other = begin()
			return nil, nil
		}
	})
	other = begin()
	if err := s.Admit(t.Context(), "ann", catalog.Amounts{Bytes: 9000}); err != nil {
		t.Error(err)
	}
	end(other)
}
