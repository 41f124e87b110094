package github

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/periodic"
)

// syncJob is the payload of KindSync.
type syncJob struct {
	// Asked for by a person: also tags that were dealt with before, as long as
	// there is no version of them.
	Asked bool `json:"asked,omitempty"`
}

// Sync implements catalog.GitHubControl.
func (s *Service) Sync(ctx context.Context, image catalog.Image) error {
	c, err := s.config.Store.ConnectionOf(ctx, image.ID)
	if err != nil {
		return err
	}
	return s.putSync(ctx, c, syncJob{Asked: true})
}

func (s *Service) putSync(ctx context.Context, c catalog.Connection, j syncJob) error {
	payload, err := json.Marshal(j)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%d/%d", c.ID, time.Now().UnixNano())
	_, err = s.worker.Put(ctx, catalog.NewJob{Kind: KindSync, Key: key, Subject: c.ID, NamespaceID: c.NamespaceID, Payload: payload})
	return err
}

// schedule has every connection's tags compared, once in each interval.
func (s *Service) schedule(ctx context.Context) error {
	if s.config.SyncInterval <= 0 {
		return nil
	}
	periodic.Run(ctx, s.config.SyncInterval, func(ctx context.Context) {
		if err := s.syncAll(ctx); err != nil && ctx.Err() == nil {
			s.config.Logger.Error("failed to compare the tags of connected repositories", "error", err)
		}
	})
	return nil
}

func (s *Service) syncAll(ctx context.Context) error {
	var after int64
	for {
		connections, err := s.config.Store.ListConnections(ctx, after)
		if err != nil || len(connections) == 0 {
			return err
		}
		for _, c := range connections {
			if err := s.putSync(ctx, c, syncJob{}); err != nil {
				return err
			}
			after = c.ID
		}
	}
}

// sync has the tags built that the remote has and no delivery told us of: GitHub
// sends no event when more than three are pushed at once.
func (s *Service) sync(ctx context.Context, job catalog.Job) (string, error) {
	var how syncJob
	if err := json.Unmarshal(job.Payload, &how); err != nil {
		return "", catalog.Wrap(catalog.Invalid, err, "failed to read the stored sync")
	}
	c, err := s.config.Store.ConnectionByID(ctx, job.Subject)
	if catalog.CodeOf(err) == catalog.NotFound {
		return "the image is no longer connected", nil
	}
	if err != nil {
		return "", err
	}
	from, err := s.remoteOf(ctx, c)
	if err != nil {
		return "", err
	}
	refs, err := s.config.Fetcher.RemoteRefs(ctx, from)
	if err != nil {
		return "", err
	}
	missing, err := s.missing(ctx, c, refs, how)
	if err != nil {
		return "", err
	}
	if known := c.RepositoryID != 0; !known || len(missing) > 0 {
		if refusal, err := s.recognize(ctx, &c); known && err != nil || refusal != "" {
			return refusal, err
		}
	}
	left := max(0, len(missing)-s.config.SyncLimit)
	for _, ref := range missing[:len(missing)-left] {
		a := refEvent{Event: "sync", Ref: ref.Name, Object: ref.Object, Force: how.Asked}
		if _, err := s.put(ctx, "sync/"+job.Key+"/"+ref.Name, a, []catalog.Connection{c}); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d of the remote's tags were missing; %d of them are left for the next sync", len(missing), left), nil
}

// missing returns the tags to build, those with the greatest names first.
func (s *Service) missing(ctx context.Context, c catalog.Connection, refs []catalog.RemoteRef, how syncJob) ([]catalog.RemoteRef, error) {
	var missing []catalog.RemoteRef
	for _, ref := range refs {
		tag, ok := catalog.RefUpdate{Name: ref.Name}.Tag()
		if !ok || !catalog.MatchPatterns(c.Tags, tag) || !isVersion(tag) {
			continue
		}
		if there, err := s.config.Store.TagVersions(ctx, c.ImageID, tag); err != nil {
			return nil, err
		} else if len(there) > 0 {
			continue
		}
		known, err := s.config.Store.SourceRef(ctx, c.ID, ref.Name)
		if err != nil && catalog.CodeOf(err) != catalog.NotFound {
			return nil, err
		}
		if known.Processed && known.Object == ref.Object && !how.Asked {
			continue
		}
		missing = append(missing, ref)
	}
	slices.SortStableFunc(missing, func(a, b catalog.RemoteRef) int { return compareNames(b.Name, a.Name) })
	return missing, nil
}

func isVersion(tag string) bool {
	_, _, err := catalog.SplitTag(tag)
	return err == nil
}

// compareNames orders names so that v1.9 comes before v1.10.
func compareNames(a, b string) int {
	isDigit := func(r rune) bool { return unicode.Is(unicode.ASCII_Hex_Digit, r) && r <= '9' }
	for a != "" && b != "" {
		i := strings.IndexFunc(a, func(r rune) bool { return !isDigit(r) })
		j := strings.IndexFunc(b, func(r rune) bool { return !isDigit(r) })
		if i == 0 || j == 0 {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		if i < 0 {
			i = len(a)
		}
		if j < 0 {
			j = len(b)
		}
		m, errA := strconv.ParseUint(a[:i], 10, 64)
		n, errB := strconv.ParseUint(b[:j], 10, 64)
		switch {
		case errA != nil || errB != nil:
			if c := strings.Compare(a[:i], b[:j]); c != 0 {
				return c
			}
		case m < n:
			return -1
		case m > n:
			return 1
		}
		a, b = a[i:], b[j:]
	}
	return len(a) - len(b)
}
