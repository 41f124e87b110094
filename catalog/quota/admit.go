package quota

import (
	"context"
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
)

// reservation is what was admitted and is not stored yet, or is being asked for.
type reservation struct {
	namespaceID int64
	contents    map[string]int64 // bytes by digest
	bytes       int64            // beside them
	decided     chan struct{}    // closed when it is admitted, or refused
	place       int64            // in the order in which was asked
}

// mostTries bounds how often is asked again, since what was on its way has arrived meanwhile and may have counted twice.
const mostTries = 3

// Admit implements catalog.Admission.
func (s *Service) Admit(ctx context.Context, namespace string, more catalog.Amounts) error {
	_, err := s.admit(ctx, namespace, request{more: more}, false)
	return err
}

// Reserve implements catalog.Admission.
func (s *Service) Reserve(ctx context.Context, namespace string, contents map[string]int64, more catalog.Amounts) (release func(), err error) {
	return s.admit(ctx, namespace, request{contents: contents, more: more}, true)
}

// ReserveBeside is Reserve where beside counts as used, too: contents, bytes by digest, that are stored and that the catalog does not know of.
func (s *Service) ReserveBeside(ctx context.Context, namespace string, beside, contents map[string]int64, more catalog.Amounts) (release func(), err error) {
	return s.admit(ctx, namespace, request{beside: beside, contents: contents, more: more}, true)
}

// request is what is asked for.
type request struct {
	beside, contents map[string]int64 // as ReserveBeside is told
	more             catalog.Amounts
}

// admit is Reserve; others see what is reserved only where that is to be seen. What a namespace uses is looked up only where it may not have any amount.
func (s *Service) admit(ctx context.Context, namespace string, asked request, seen bool) (release func(), err error) {
	contents, more := asked.contents, asked.more
	if err := s.config.Room(); err != nil {
		return nil, err
	}
	quota, err := s.quota(ctx, namespace)
	if err != nil {
		return nil, err
	}
	counted := quota.Images > 0 || quota.Versions > 0 || quota.Builds > 0
	measured := quota.Bytes > 0 && (more.Bytes > 0 || len(contents) > 0)
	if !counted && !measured {
		return func() {}, nil
	}
	n, err := s.config.Store.Namespace(ctx, namespace)
	if err != nil {
		return nil, err
	}
	var used catalog.Amounts
	if counted {
		if used, err = s.config.Store.NamespaceAmounts(ctx, n.ID); err != nil {
			return nil, err
		}
	}
	if !measured {
		return func() {}, quota.Check(namespace, used, more)
	}
	// It sees all that asked before, and is seen by all that ask later, if at all.
	r := &reservation{namespaceID: n.ID, contents: contents, bytes: more.Bytes, decided: make(chan struct{})}
	defer close(r.decided)
	s.add(r, seen)
	if err := s.fits(ctx, namespace, r, asked, quota, used); err != nil {
		s.remove(r)
		return nil, err
	}
	return func() { s.remove(r) }, nil
}

// fits asks whether there is room for a reservation beside what the namespace uses, and those made before.
func (s *Service) fits(ctx context.Context, namespace string, r *reservation, asked request, quota catalog.Quota, used catalog.Amounts) error {
	more := asked.more
	for try := 1; ; {
		// Those first: what one stands for is in use before it is released.
		before := s.before(r)
		use, has, err := s.usage(ctx, namespace)
		if err != nil {
			return err
		}
		used.Bytes, more.Bytes = use.Bytes()+addContents(has, asked.beside), r.bytes
		for _, b := range before {
			used.Bytes += b.bytes + addContents(has, b.contents)
		}
		more.Bytes += addContents(has, r.contents)
		if err = quota.Check(namespace, used, more); err == nil {
			return nil
		}
		waited, waitErr := await(ctx, before)
		switch {
		case waitErr != nil:
			return waitErr
		case waited:
		case try == mostTries || slices.Equal(before, s.before(r)):
			return err
		default:
			try++
		}
	}
}

// await waits until it is known which of some reservations are refused, and reports whether that was to be waited for.
func await(ctx context.Context, all []*reservation) (waited bool, err error) {
	for _, r := range all {
		select {
		case <-r.decided:
			continue
		default:
		}
		waited = true
		select {
		case <-r.decided:
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
	return waited, nil
}

// addContents adds contents to those that there are, and returns the bytes of those that are new.
func addContents(has, contents map[string]int64) (bytes int64) {
	for digest, size := range contents {
		if _, known := has[digest]; !known {
			has[digest] = size
			bytes += size
		}
	}
	return bytes
}

// add gives a reservation its place.
func (s *Service) add(r *reservation, seen bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places++
	if r.place = s.places; seen {
		s.reserved = append(s.reserved, r)
	}
}

func (s *Service) remove(r *reservation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved = slices.DeleteFunc(s.reserved, func(other *reservation) bool { return other == r })
}

// before returns the reservations of the same namespace that were made before one: fewer each time.
func (s *Service) before(r *reservation) (before []*reservation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.reserved {
		if other.place < r.place && other.namespaceID == r.namespaceID {
			before = append(before, other)
		}
	}
	return before
}

// AdmitTransfer refuses images of one namespace that take more than another may have. Nothing is counted here, which the store does. Errors: NotFound, Forbidden.
func (s *Service) AdmitTransfer(ctx context.Context, images []catalog.Image, namespace string) error {
	quota, err := s.quota(ctx, namespace)
	if err != nil || quota.Bytes <= 0 || len(images) == 0 {
		return err
	}
	use, has, err := s.usage(ctx, namespace)
	if err != nil {
		return err
	}
	var kept []catalog.Content // what the store does not know
	from, err := s.config.Store.Namespace(ctx, images[0].Ref.Namespace)
	if err == nil {
		kept, err = s.measure(ctx, from.ID)
	}
	if err != nil {
		return err
	}
	come, taken := map[int64]bool{}, int64(0)
	for _, image := range images {
		come[image.ID] = true
		taken += s.config.Git(image.Ref)
		tagged, err := s.config.Tagged(ctx, image)
		if err != nil {
			return err
		}
		kept = append(kept, contentsOf(image.ID, tagged)...)
	}
	contents, err := s.config.Store.ListContents(ctx, from.ID)
	if err != nil {
		return err
	}
	for _, c := range append(contents, kept...) {
		if _, known := has[c.Digest]; come[c.ImageID] && !known {
			has[c.Digest] = c.Bytes
			taken += c.Bytes
		}
	}
	logs, err := s.config.Store.ListLogs(ctx, from.ID)
	for _, l := range logs {
		if come[l.ImageID] {
			taken += s.config.Log(l.BuildID)
		}
	}
	if err != nil {
		return err
	}
	return catalog.Quota{Bytes: quota.Bytes}.Check(use.Namespace, catalog.Amounts{Bytes: use.Bytes()}, catalog.Amounts{Bytes: taken})
}
