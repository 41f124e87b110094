//go:build torture || soak

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// deleter deletes versions, of builds and of the registry.
func (t *load) deleter(_ context.Context, dice *rand.Rand) {
	e := t.ledger.take(dice, kept, func(e *entry) bool {
		return !isGone(e) && !e.stays && t.lasts(e) && (e.seen || dice.IntN(4) == 0)
	})
	if e == nil {
		return
	}
	t.count("deletions of versions")
	status, err := t.ask("DELETE", "images/"+e.image+"/versions/"+e.tag, nil, nil)
	switch status {
	case http.StatusOK:
		t.ledger.put(e, deleted)
	case http.StatusConflict: // its build waits or runs
		t.count("deletions refused")
		t.ledger.put(e, kept)
	case http.StatusNotFound:
		if t.wentByRetention(e) {
			t.ledger.put(e, deleted)
			return
		}
		t.Errorf("%s was acknowledged: %v", e.name(), err)
		fallthrough
	default:
		t.cut("deletions cut off", err)
		t.ledger.put(e, unanswered)
	}
}

// wentByRetention reports whether retention has removed an entry: which are the last, the ledger knows from the answers alone.
func (t *load) wentByRetention(e *entry) bool {
	var removed []api.DeletedVersion
	return t.keepLast > 0 && t.get("images/"+e.image+"/deleted-versions", &removed) &&
		slices.ContainsFunc(removed, func(d api.DeletedVersion) bool { return d.Version == e.tag && d.Reason != "" })
}

// isGone reports whether an entry is of an image that imageDeleter is alone with.
func isGone(e *entry) bool { return strings.HasPrefix(e.image, "gone") }

// imageDeleter makes images, deletes them while others push to them, and makes them anew.
type imageDeleter struct {
	load       *load
	generation int
}

func (t *load) newImageDeleter() *imageDeleter { return &imageDeleter{load: t} }

func (d *imageDeleter) act(_ context.Context, dice *rand.Rand) {
	options, cancel := d.load.crane()
	defer cancel()
	d.generation++
	image := fmt.Sprintf("gone%d", dice.IntN(2))
	if _, err := d.load.ask("POST", "images", map[string]string{"name": image}, nil); err == nil {
		d.load.count("images made")
	}
	e := d.load.ledger.add(entry{image: image, tag: fmt.Sprintf("g%d", d.generation)})
	d.load.answer(e, d.load.pushImage(e, dice, options), "image push")
	var before []*entry // those that the deletion is about
	for _, is := range []standing{kept, unanswered} {
		for e := d.load.ledger.take(dice, is, ofImage(image)); e != nil; e = d.load.ledger.take(dice, is, ofImage(image)) {
			before = append(before, e)
		}
	}
	var others sync.WaitGroup
	others.Go(func() {
		d.load.count("image pushes beside a deletion")
		during := d.load.ledger.add(entry{image: image, tag: fmt.Sprintf("during%d", d.generation)})
		if d.load.pushImage(during, rand.New(rand.NewPCG(uint64(d.generation), 7)), options) != nil {
			d.load.count("image pushes beside a deletion, refused or cut off")
		}
		d.load.ledger.put(during, unanswered) // it came before the deletion, or after it
	})
	d.load.count("deletions of images")
	status, err := d.load.ask("DELETE", "images/"+image, nil, nil)
	others.Wait()
	for _, e := range before {
		switch {
		case err == nil:
			d.load.ledger.put(e, deleted)
		case status == http.StatusConflict || status == http.StatusNotFound && e.standing == unanswered:
			d.load.ledger.put(e, e.standing)
		case status == http.StatusNotFound:
			d.load.Errorf("%s was acknowledged: %v", e.name(), err)
			d.load.ledger.put(e, unanswered)
		default:
			d.load.ledger.put(e, unanswered)
		}
	}
	if err != nil {
		d.load.count("deletions of images refused or cut off")
	}
}
