// Package retention removes versions that no rule keeps, and logs and events of their age. What stays is decided by
// catalog.DecideRetention; the Service finds out what that has to know of a version: what is built from it, who pulls it,
// which branch is at its commit. Whatever it can't find out keeps the version.
package retention

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/periodic"
)

// Images is what the registry knows of an image's manifests. Digests are "sha256:…".
type Images interface {
	// Manifests returns a manifest and, of an index, those that it lists. Errors: NotFound.
	Manifests(digest string) ([]string, error)
	// MovingTags returns the manifests that an image's tags name which are no versions, with one such tag of each.
	MovingTags(ctx context.Context, image catalog.Image) (map[string]string, error)
	// PulledSince reports whether a manifest was pulled after a time.
	PulledSince(digest string, at time.Time) bool
}

// Branches tells where branches are.
type Branches interface {
	// BranchTips returns the commit, hex, of each branch of an image's repository; none when there is none.
	BranchTips(ctx context.Context, ref catalog.ImageRef) (map[string]string, error)
}

// Logs are those of builds.
type Logs interface {
	// RemoveLogs deletes logs and returns their bytes. None is no error.
	RemoveLogs(buildIDs []int64) (int64, error)
}

// Lifetimes are how many days things stay; 0: for ever.
type Lifetimes struct {
	Failed int // versions that were not built, after their last build
	Logs   int // after the end of their build
	Events int
}

// Config is what a Service is made of; all but Removed, Now and Logger is required.
type Config struct {
	Store    catalog.Store
	Images   Images
	Branches Branches
	Logs     Logs
	// Remove does what deletions left to do.
	Remove func(context.Context)
	// Removing asks whether something may be removed for good now, and is told when that was done. Errors: Unavailable.
	Removing func() (done func(), err error)
	Settings
	Removed func(catalog.Removed) // is told of each run
	Now     func() time.Time
	Logger  hclog.Logger
}

// Settings may be changed while a Service runs.
type Settings struct {
	Rules     map[catalog.RetentionKind]catalog.RetentionRule // of the installation
	Lifetimes Lifetimes
	// Recent is how long a version stays after it was last pulled. It must be longer than a build takes: bases of builds are
	// known when these have ended.
	Recent time.Duration
}

// Service applies the rules.
type Service struct {
	config   Config
	settings atomic.Pointer[Settings] // in force now
}

var _ catalog.RetentionControl = (*Service)(nil)

// New returns a Service.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Removed == nil {
		c.Removed = func(catalog.Removed) {}
	}
	s := &Service{config: c}
	s.Change(c.Settings)
	return s
}

// Change replaces the settings.
func (s *Service) Change(to Settings) { s.settings.Store(&to) }

// Run applies the rules once in each interval until ctx ends, then returns nil.
func (s *Service) Run(ctx context.Context, interval time.Duration) error {
	periodic.Run(ctx, interval, func(ctx context.Context) {
		if _, err := s.Apply(ctx); err != nil && ctx.Err() == nil {
			s.config.Logger.Error("failed to remove some of what is to be removed; it will be retried", "error", err)
		}
	})
	return nil
}

// Apply removes what no rule keeps, and what is too old. It may be cut short at any point, and done again. An image it can't
// look at does not keep it from the others; all errors are returned.
func (s *Service) Apply(ctx context.Context) (catalog.Removed, error) {
	begun := s.config.Now()
	var removed catalog.Removed
	var errs []error
	err := catalog.EachImage(ctx, s.config.Store, "", func(image catalog.Image) error {
		if err := s.applyTo(ctx, image, &removed); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", image.Ref, err))
		}
		return ctx.Err()
	})
	errs = append(errs, err, s.removeLogs(ctx, begun, &removed), s.pruneEvents(ctx, begun))
	s.config.Removed(removed)
	level := hclog.Debug
	if removed != (catalog.Removed{}) {
		level = hclog.Info
	}
	s.config.Logger.Log(level, "retention applied", "versions", removed.Built, "failed_versions", removed.Failed, "image_bytes", removed.ImageBytes,
		"logs", removed.Logs, "log_bytes", removed.LogBytes, "took", s.config.Now().Sub(begun).Round(time.Millisecond))
	return removed, errors.Join(errs...)
}

func (s *Service) applyTo(ctx context.Context, image catalog.Image, removed *catalog.Removed) error {
	decisions, err := s.Preview(ctx, image, nil)
	if err != nil {
		return err
	}
	waiting := 0
	var errs []error
	for _, d := range decisions {
		if d.Keeps || ctx.Err() != nil {
			continue
		}
		switch err := s.delete(ctx, d); catalog.CodeOf(err) {
		case "":
			s.config.Logger.Info("removed a version", "image", image.Ref, "version", d.Name, "digest", d.Digest, "why", d.Reason)
			count(removed, d)
			waiting++
		case catalog.NotFound, catalog.Conflict: // it went, or is being built again
		default:
			errs = append(errs, err)
		}
		if waiting == removeBatch {
			s.config.Remove(ctx)
			waiting = 0
		}
	}
	if waiting > 0 {
		s.config.Remove(ctx)
	}
	return errors.Join(errs...)
}

// removeBatch is of how many versions the files are removed together: what users delete meanwhile waits for that, and each time all other versions of
// the image are looked at.
const removeBatch = 100

func (s *Service) delete(ctx context.Context, d catalog.RetentionDecision) error {
	return s.config.Store.DeleteVersion(ctx, d.ID, d.Reason)
}

func count(r *catalog.Removed, d catalog.RetentionDecision) {
	if d.State != catalog.Built {
		r.Failed++
		return
	}
	r.Built++
	r.ImageBytes += d.Size
}

// logBatch is how many logs are removed between two writes of the store.
const logBatch = 500

// removeLogs removes the logs of builds that ended long ago: the files first, so that none stays that nothing names.
func (s *Service) removeLogs(ctx context.Context, now time.Time, removed *catalog.Removed) error {
	if s.settings.Load().Lifetimes.Logs == 0 {
		return nil
	}
	done, err := s.config.Removing()
	if catalog.CodeOf(err) == catalog.Unavailable {
		return nil // when the backup has ended
	}
	if err != nil {
		return err
	}
	defer done()
	for ctx.Err() == nil {
		ids, err := s.config.Store.ListBuildLogs(ctx, daysBefore(now, s.settings.Load().Lifetimes.Logs), logBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		bytes, err := s.config.Logs.RemoveLogs(ids)
		removed.LogBytes += bytes
		if err == nil {
			err = s.config.Store.NoteLogsRemoved(ctx, ids, now)
		}
		if err != nil {
			return err
		}
		removed.Logs += len(ids)
	}
	return ctx.Err()
}

func (s *Service) pruneEvents(ctx context.Context, now time.Time) error {
	if s.settings.Load().Lifetimes.Events == 0 {
		return nil
	}
	return s.config.Store.PruneEvents(ctx, daysBefore(now, s.settings.Load().Lifetimes.Events))
}

func daysBefore(now time.Time, days int) time.Time {
	return now.Add(-time.Duration(days) * 24 * time.Hour)
}
