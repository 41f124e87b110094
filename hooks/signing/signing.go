// Package signing attests what was built: it signs each built version's digest, and a provenance that says of what it was
// made, with a key of the installation. Both are stored beside the image as OCI referrers and under cosign's tags, so that
// the image's digest stays what it is.
//
// A Service works beside the builder, so that no push waits for it. What is to be attested stands in the store, written by
// the transaction that made the version BUILT, and goes when it was attested: a stop or a crash loses none.
//
// What always holds: only what was built here is signed, never an image that a user pushed; of a build is said what
// the store and the repository knew when it ended; no value of a secret is said; signatures follow from key and
// text, so that a version that is attested twice has one of each.
package signing

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/turns"
)

// Store is what a Service needs of catalog.Store.
type Store interface {
	catalog.Provenance
	catalog.Images
	// Version is that of catalog.Versions.
	Version(ctx context.Context, imageID int64, name string) (catalog.Version, error)
	// NewEvents is that of catalog.Events.
	NewEvents() <-chan struct{}
}

// Registry is what a Service needs of the registry.
type Registry interface {
	catalog.Attachments
	catalog.ImageContents
	// DeleteVersion removes a tag that is no version any more, with all that it alone was made of.
	DeleteVersion(ctx context.Context, ref catalog.ImageRef, v catalog.Version) error
}

// Config is what a Service is made of; all but Pause, SBOMs and Room is required.
type Config struct {
	Store    Store
	Registry Registry
	Origins  catalog.Origins
	Keys     Keys
	Lister   Lister
	// Rebuilder builds versions again.
	Rebuilder catalog.Rebuilder
	SBOMs     bool // made of every version, before anybody asks
	// Room says why nothing large may be stored now, nil where it may; nil: it may. What is looked at for an SBOM is unpacked.
	Room func() error
	// PublicRegistry is the registry's host as users have it, PublicURL the server's.
	PublicRegistry func() string
	PublicURL      func() string
	Version        string        // of this program
	Pause          time.Duration // before what failed is tried again; grows up to an hour; 0: 5 s
	Logger         hclog.Logger
}

// Service attests built versions.
type Service struct {
	config   Config
	failed   map[int64]failure // builds, by ID
	attached map[int64]bool    // builds whose SBOMs alone are missing
	isListed bool              // that SBOMs are made of a version, beside Run
	listed   chan listed       // how that ended

	reading, listing, comparing *turns.Turns                   // one at a time each
	unlistable                  *lru.Cache[string, unlistable] // by manifest
}

// listed is how it ended that SBOMs were made of a version.
type listed struct {
	catalog.Unattested
	err error
}

// failure is a build that could not be attested yet.
type failure struct {
	times int
	again time.Time
}

// New returns a Service; Run makes it work.
func New(c Config) *Service {
	if c.Pause <= 0 {
		c.Pause = 5 * time.Second
	}
	if c.Room == nil {
		c.Room = func() error { return nil }
	}
	unlistable, _ := lru.New[string, unlistable](maxUnlistable) // only a size below one is an error
	return &Service{config: c, failed: map[int64]failure{}, attached: map[int64]bool{}, listed: make(chan listed, 1),
		reading: turns.New(1, 0), listing: turns.New(1, 0), comparing: turns.New(1, 0), unlistable: unlistable}
}

const (
	batch    = 100
	maxPause = time.Hour
	// maxWait is how long nothing is looked at while nothing is signalled.
	maxWait = time.Minute
	// courtesy is how long a version that was built now waits: its push is answered meanwhile, with the whole machine.
	courtesy = 100 * time.Millisecond
)

// Run attests what there is until ctx ends; then it returns nil. Call it once.
func (s *Service) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		notified := s.config.Store.NewEvents()
		wait, err := s.work(ctx)
		if err != nil && ctx.Err() == nil {
			s.config.Logger.Error("failed to look for versions to attest", "error", err)
			wait = s.config.Pause
		}
		timer := time.NewTimer(wait)
		select {
		case l := <-s.listed:
			s.isListed = false
			s.did(ctx, l.Unattested, s.end(ctx, l.Unattested, l.err))
		case <-notified:
			timer.Reset(courtesy)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	if s.isListed {
		<-s.listed
	}
	return nil
}

// work attests all that is due, and returns how long nothing more is. SBOMs take long: they are made of one version after the other, and no
// signature waits for them.
func (s *Service) work(ctx context.Context) (wait time.Duration, err error) {
	wait = maxWait
	var unlisted *catalog.Unattested
	for after := int64(0); ; {
		waiting, err := s.config.Store.ListUnattested(ctx, after, batch)
		if err != nil {
			return wait, err
		}
		if len(waiting) == 0 {
			break
		}
		for _, u := range waiting {
			after = u.ID
			if until := time.Until(s.failed[u.ID].again); until > 0 {
				wait = min(wait, until)
				continue
			}
			if err := ctx.Err(); err != nil {
				return wait, err
			}
			if !s.attached[u.ID] {
				wait = min(wait, s.did(ctx, u, s.attest(ctx, u)))
			}
			if s.attached[u.ID] && unlisted == nil {
				unlisted = &u
			}
		}
	}
	if unlisted != nil && !s.isListed {
		s.isListed = true
		go func() { s.listed <- listed{*unlisted, s.list(ctx, *unlisted)} }()
	}
	return wait, nil
}

// did returns how long to wait before a build is looked at again, if it failed.
func (s *Service) did(ctx context.Context, u catalog.Unattested, err error) time.Duration {
	if err == nil || ctx.Err() != nil {
		return maxWait
	}
	return s.putOff(u, err)
}

// putOff has a build tried again later. Those behind it do not wait for it.
func (s *Service) putOff(u catalog.Unattested, err error) time.Duration {
	f := s.failed[u.ID]
	pause := min(s.config.Pause<<min(f.times, 20), maxPause)
	s.failed[u.ID] = failure{f.times + 1, time.Now().Add(pause)}
	s.config.Logger.Error("failed to attest a version; it will be retried", "image", u.Image, "version", u.Version, "in", pause, "error", err)
	return pause
}

// attest says what is to be said of a version, and records that, if there is nothing more to come.
func (s *Service) attest(ctx context.Context, u catalog.Unattested) error {
	err := s.attach(ctx, u)
	if err == nil && s.config.SBOMs {
		s.attached[u.ID] = true
		return nil
	}
	return s.end(ctx, u, err)
}

// end records that all is said of a version. err is how that ended.
func (s *Service) end(ctx context.Context, u catalog.Unattested, err error) error {
	if err != nil && catalog.CodeOf(err) != catalog.NotFound { // else it was deleted
		return err
	}
	if err := s.config.Store.EndAttestation(ctx, u.ID); err != nil {
		return err
	}
	delete(s.failed, u.ID)
	delete(s.attached, u.ID)
	return nil
}
