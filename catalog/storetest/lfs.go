package storetest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func lfsObject(digit string, size int64) catalog.LFSObject {
	return catalog.LFSObject{OID: strings.Repeat(digit, 64), Size: size, Blob: catalog.BlobID(strings.Repeat(digit, 40))}
}

func testLFSObjects(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app, other := newImage(t, s, "ann", "app"), newImage(t, s, "ann", "other")
	a, b := lfsObject("a", 1), lfsObject("b", 1<<40)
	_, err := s.LFSObject(ctx, app.ID, a.OID)
	wantCode(t, err, catalog.NotFound)
	for range 2 {
		noError(t, s.AddLFSObject(ctx, app.ID, b))
	}
	noError(t, s.AddLFSObject(ctx, app.ID, a))
	noError(t, s.AddLFSObject(ctx, other.ID, a))
	got := must(s.LFSObject(ctx, app.ID, b.OID))(t)
	wantRecent(t, "used at", got.UsedAt)
	got.UsedAt = b.UsedAt
	wantEqual(t, "an object", got, b)
	_, err = s.LFSObject(ctx, other.ID, b.OID) // of another image
	wantCode(t, err, catalog.NotFound)
	wantEqual(t, "objects", oidsOf(must(s.ListLFSObjects(ctx, app.ID))(t)), a.OID+" "+b.OID)
	wantCode(t, s.AddLFSObject(ctx, app.ID+999, a), catalog.NotFound)

	noError(t, s.DeleteImage(ctx, app.ID))
	_, err = s.LFSObject(ctx, app.ID, a.OID)
	wantCode(t, err, catalog.NotFound)
	wantCode(t, s.AddLFSObject(ctx, app.ID, a), catalog.NotFound)
	wantEqual(t, "objects of another image", len(must(s.ListLFSObjects(ctx, other.ID))(t)), 1)
}

func oidsOf(objects []catalog.LFSObject) string {
	oids := make([]string, 0, len(objects))
	for _, o := range objects {
		oids = append(oids, o.OID)
	}
	return strings.Join(oids, " ")
}

// What is used while it is found out what may go does not go.
func testLFSObjectUse(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app, other := newImage(t, s, "ann", "app"), newImage(t, s, "ann", "other")
	sent, told, idle, kept := lfsObject("a", 1), lfsObject("b", 2), lfsObject("c", 3), lfsObject("d", 4)
	for _, o := range []catalog.LFSObject{sent, told, idle, kept} {
		noError(t, s.AddLFSObject(ctx, app.ID, o))
	}
	noError(t, s.AddLFSObject(ctx, other.ID, idle))
	until := time.Time{}
	for _, o := range must(s.ListLFSObjects(ctx, app.ID))(t) {
		if o.UsedAt.After(until) {
			until = o.UsedAt
		}
	}
	noError(t, s.AddLFSObject(ctx, app.ID, sent))
	noError(t, s.UseLFSObjects(ctx, app.ID, []string{told.OID, strings.Repeat("f", 64)}))
	deleted := must(s.DeleteLFSObjects(ctx, app.ID, []string{sent.OID, told.OID, idle.OID, strings.Repeat("f", 64)}, until))(t)
	wantEqual(t, "deleted", oidsOf(deleted), idle.OID)
	wantEqual(t, "its size", deleted[0].Size, idle.Size)
	wantEqual(t, "left", oidsOf(must(s.ListLFSObjects(ctx, app.ID))(t)), strings.Join([]string{sent.OID, told.OID, kept.OID}, " "))
	wantEqual(t, "of another image", oidsOf(must(s.ListLFSObjects(ctx, other.ID))(t)), idle.OID)
	wantEqual(t, "deleted of none", len(must(s.DeleteLFSObjects(ctx, app.ID, nil, time.Now()))(t)), 0)
}

func testLFSLocks(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app, other := newImage(t, s, "ann", "app"), newImage(t, s, "ann", "other")
	ann, bob := must(s.User(ctx, "ann"))(t), newUser(t, s, "bob")
	first := must(s.CreateLFSLock(ctx, app.ID, "a/b.psd", ann.ID))(t)
	wantEqual(t, "path", first.Path, "a/b.psd")
	wantEqual(t, "owner", first.Owner, "ann")
	wantEqual(t, "owner's ID", first.OwnerID, ann.ID)
	wantRecent(t, "locked at", first.LockedAt)
	for _, user := range []catalog.User{ann, bob} {
		there, err := s.CreateLFSLock(ctx, app.ID, "a/b.psd", user.ID)
		wantCode(t, err, catalog.Conflict)
		wantEqual(t, "the lock that is there", there, first)
	}
	must(s.CreateLFSLock(ctx, other.ID, "a/b.psd", bob.ID))(t)
	second := must(s.CreateLFSLock(ctx, app.ID, "A/b.psd", bob.ID))(t) // case counts
	for _, path := range []string{"", "a\nb", "a\x00", "\xff", strings.Repeat("x", 4097)} {
		_, err := s.CreateLFSLock(ctx, app.ID, path, ann.ID)
		wantCode(t, err, catalog.Invalid)
	}
	_, err := s.CreateLFSLock(ctx, app.ID+999, "a", ann.ID)
	wantCode(t, err, catalog.NotFound)
	_, err = s.CreateLFSLock(ctx, app.ID, "a", 999)
	wantCode(t, err, catalog.NotFound)

	for name, c := range map[string]struct {
		filter catalog.LFSLockFilter
		want   []catalog.LFSLock
	}{
		"all":                {catalog.LFSLockFilter{}, []catalog.LFSLock{first, second}},
		"a page":             {catalog.LFSLockFilter{Limit: 1}, []catalog.LFSLock{first}},
		"the next":           {catalog.LFSLockFilter{After: first.ID, Limit: 1}, []catalog.LFSLock{second}},
		"by path":            {catalog.LFSLockFilter{Path: "A/b.psd"}, []catalog.LFSLock{second}},
		"by ID":              {catalog.LFSLockFilter{ID: first.ID}, []catalog.LFSLock{first}},
		"by both":            {catalog.LFSLockFilter{ID: first.ID, Path: "A/b.psd"}, nil},
		"of what is unknown": {catalog.LFSLockFilter{Path: "none"}, nil},
	} {
		if got := must(s.ListLFSLocks(ctx, app.ID, c.filter))(t); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}

	wantCode(t, s.DeleteLFSLock(ctx, other.ID, first.ID), catalog.NotFound) // of another image
	noError(t, s.DeleteLFSLock(ctx, app.ID, first.ID))
	wantCode(t, s.DeleteLFSLock(ctx, app.ID, first.ID), catalog.NotFound)
	noError(t, s.DeleteUser(ctx, bob.ID, false))
	wantEqual(t, "locks of who is gone", len(must(s.ListLFSLocks(ctx, app.ID, catalog.LFSLockFilter{}))(t)), 0)
}
