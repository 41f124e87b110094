//go:build torture

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// crane returns what crane's calls need; cancel ends them.
func (w *torture) crane() (options crane.Option, cancel context.CancelFunc) {
	ctx, cancel := context.WithTimeout(w.ctx, timeout)
	auth := crane.WithAuth(&authn.Basic{Username: "tor", Password: w.env["TOKEN"]})
	return func(o *crane.Options) { auth(o); crane.WithContext(ctx)(o) }, cancel
}

func (w *torture) reference(image, tag string) string {
	return w.env["HTTP"] + "/tor/" + image + ":" + tag
}

// registryClient pushes images, copies and tags what is there, and tries to change what must not change.
func (w *torture) registryClient(_ context.Context, dice *rand.Rand) {
	options, cancel := w.crane()
	defer cancel()
	fresh := func() *entry {
		return w.ledger.add(entry{image: fmt.Sprintf("registry%d", dice.IntN(2)), tag: fmt.Sprintf("r%x", dice.Uint64())})
	}
	from := w.ledger.take(dice, kept, func(e *entry) bool { return strings.HasPrefix(e.image, "registry") })
	if from != nil {
		defer w.ledger.put(from, kept)
	}
	switch what := dice.IntN(5); {
	case from == nil || what < 2:
		e := fresh()
		w.answer(e, w.pushImage(e, dice, options), "image push")
	case what == 2:
		e := fresh()
		e.digest = from.digest
		w.count("images tagged or copied")
		w.answer(e, crane.Copy(w.reference(from.image, from.tag), w.reference(e.image, e.tag), options), "copy")
	case what == 3:
		other := w.ledger.take(dice, kept, func(e *entry) bool { return e.image == from.image && e.digest != "" && e.digest != from.digest })
		if other == nil {
			return
		}
		defer w.ledger.put(other, kept)
		w.count("tags moved by registry clients")
		if err := crane.Tag(w.reference(from.image, from.tag), other.tag, options); err == nil {
			w.Errorf("tag %s was moved to %s", other.name(), from.digest)
		}
	default:
		w.count("image pushes of what is there")
		if err := crane.Copy(w.reference(from.image, from.tag), w.reference(from.image, from.tag), options); err != nil {
			w.count("image pushes of what is there, refused or cut off")
		}
	}
}

// pushImage pushes an image of some layers.
func (w *torture) pushImage(e *entry, dice *rand.Rand, options crane.Option) error {
	image, err := random.Image(1+dice.Int64N(300_000), 1+dice.Int64N(3))
	if err != nil {
		return err
	}
	d, err := image.Digest()
	if err != nil {
		return err
	}
	e.digest = d.String()
	w.count("image pushes")
	return crane.Push(image, w.reference(e.image, e.tag), options)
}

// answer notes what became of a push to the registry.
func (w *torture) answer(e *entry, err error, what string) {
	is := kept
	if err != nil {
		is = unanswered
		w.count(what + " refused or cut off")
	}
	w.ledger.put(e, is)
}

// puller pulls versions whole, while the daemon may be killed under it.
func (w *torture) puller(_ context.Context, dice *rand.Rand) {
	e := w.ledger.take(dice, kept, func(e *entry) bool { return e.seen && !isGone(e) })
	if e == nil {
		return
	}
	defer w.ledger.put(e, kept)
	w.count("pulls")
	if w.pull(e) != nil {
		w.count("pulls cut off")
	}
}

// pull gets all of a version and compares every digest.
func (w *torture) pull(e *entry) error {
	options, cancel := w.crane()
	defer cancel()
	image, err := crane.Pull(w.reference(e.image, e.tag), options)
	if err != nil {
		return err
	}
	d, err := image.Digest()
	if err == nil && e.digest != "" && d.String() != e.digest {
		return fmt.Errorf("it is %s and was %s", d, e.digest)
	}
	if err != nil {
		return err
	}
	return validate.Image(image)
}

// collector has the garbage collected beside the daemon, which does it by itself, too.
func (w *torture) collector(context.Context, *rand.Rand) {
	w.count("garbage collections")
	if out, err := w.daemon.admin("", "gc"); err != nil {
		w.count("garbage collections failed")
	} else if !strings.Contains(out, "removed 0 ") {
		w.count("garbage collections that removed something")
	}
}
