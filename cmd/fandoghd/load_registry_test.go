//go:build torture || soak

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
func (t *load) crane() (options crane.Option, cancel context.CancelFunc) {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	auth := crane.WithAuth(&authn.Basic{Username: "tor", Password: t.env["TOKEN"]})
	return func(o *crane.Options) { auth(o); crane.WithContext(ctx)(o) }, cancel
}

func (t *load) reference(image, tag string) string {
	return t.env["HTTP"] + "/tor/" + image + ":" + tag
}

// registryClient pushes images, copies and tags what is there, and tries to change what must not change.
func (t *load) registryClient(_ context.Context, dice *rand.Rand) {
	options, cancel := t.crane()
	defer cancel()
	fresh := func() *entry {
		return t.ledger.add(entry{image: fmt.Sprintf("registry%d", dice.IntN(t.registries)), tag: fmt.Sprintf("r%x", dice.Uint64())})
	}
	from := t.ledger.take(dice, kept, func(e *entry) bool { return strings.HasPrefix(e.image, "registry") && (e.stays || t.keepLast == 0) })
	if from != nil {
		defer t.ledger.put(from, kept)
	}
	switch what := dice.IntN(5); {
	case from == nil || what < 2:
		e := fresh()
		t.answer(e, t.pushImage(e, dice, options), "image push")
	case what == 2:
		e := fresh()
		e.digest = from.digest
		t.count("images tagged or copied")
		t.answer(e, crane.Copy(t.reference(from.image, from.tag), t.reference(e.image, e.tag), options), "copy")
	case what == 3:
		other := t.ledger.take(dice, kept, func(e *entry) bool { return e.image == from.image && e.digest != "" && e.digest != from.digest })
		if other == nil {
			return
		}
		defer t.ledger.put(other, kept)
		t.count("tags moved by registry clients")
		if err := crane.Tag(t.reference(from.image, from.tag), other.tag, options); err == nil {
			t.Errorf("tag %s was moved to %s", other.name(), from.digest)
		}
	default:
		t.count("image pushes of what is there")
		if err := crane.Copy(t.reference(from.image, from.tag), t.reference(from.image, from.tag), options); err != nil {
			t.cut("image pushes of what is there, refused or cut off", err)
		}
	}
}

// pushImage pushes an image of some layers.
func (t *load) pushImage(e *entry, dice *rand.Rand, options crane.Option) error {
	image, err := random.Image(1+dice.Int64N(300_000), 1+dice.Int64N(3))
	if err != nil {
		return err
	}
	d, err := image.Digest()
	if err != nil {
		return err
	}
	e.digest = d.String()
	t.count("image pushes")
	return crane.Push(image, t.reference(e.image, e.tag), options)
}

// answer notes what became of a push to the registry.
func (t *load) answer(e *entry, err error, what string) {
	is := kept
	if err != nil {
		is = unanswered
		t.cut(what+" refused or cut off", err)
	}
	t.ledger.put(e, is)
}

// puller pulls versions whole, while the daemon may be killed under it.
func (t *load) puller(_ context.Context, dice *rand.Rand) {
	e := t.ledger.take(dice, kept, func(e *entry) bool { return e.seen && !isGone(e) })
	if e == nil {
		return
	}
	defer t.ledger.put(e, kept)
	t.count("pulls")
	if err := t.pull(e); err != nil {
		t.cut("pulls cut off", err)
	}
}

// pull gets all of a version and compares every digest.
func (t *load) pull(e *entry) error {
	options, cancel := t.crane()
	defer cancel()
	image, err := crane.Pull(t.reference(e.image, e.tag), options)
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
func (t *load) collector(context.Context, *rand.Rand) {
	t.count("garbage collections")
	if out, err := t.daemon.admin("", "gc"); err != nil {
		t.cut("garbage collections failed", err)
	} else if !strings.Contains(out, "removed 0 ") {
		t.count("garbage collections that removed something")
	}
}
