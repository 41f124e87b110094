package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	selectWaiting = `SELECT namespace_id, min(build_id), (SELECT served_at FROM namespaces WHERE id = namespace_id)
		FROM queue WHERE running = 0 AND not_before <= ? AND NOT EXISTS (SELECT 1 FROM queue_pause WHERE id = 1)
		AND build_id NOT IN (` + selectMoving + `) GROUP BY namespace_id`
	selectRunning = `SELECT namespace_id, count(*), 0 FROM queue WHERE running = 1 GROUP BY namespace_id`
	selectLost    = `SELECT build_id FROM queue WHERE running = 1 AND (owner <> ? OR lease_until < ?)`
	selectQueue   = `SELECT (SELECT count(*) FROM queue WHERE running = 0), (SELECT count(*) FROM queue WHERE running = 1),
		coalesce((SELECT min(queued_at) FROM builds WHERE id IN (SELECT build_id FROM queue WHERE running = 0)), 0)`
	selectWake = `SELECT not_before FROM queue WHERE running = 0 AND NOT EXISTS (SELECT 1 FROM queue_pause WHERE id = 1)
		AND build_id NOT IN (` + selectMoving + `) ORDER BY not_before LIMIT 1`
)

var errNothingWaits = catalog.Errorf(catalog.NotFound, "no build is waiting")

// ClaimBuild leases the next build.
func (s *Store) ClaimBuild(ctx context.Context, workerID string, busiest int, now, until time.Time) (catalog.Build, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Build, error) {
		id, err := s.nextBuild(ctx, tx, busiest, now)
		if err != nil {
			return catalog.Build{}, err
		}
		b, err := buildByID(ctx, tx, id)
		if err != nil {
			return b, err
		}
		b.StartedAt = fromMicros(toMicros(now))
		b.Attempts++
		if err := enter(ctx, tx, &b, catalog.Building); err != nil {
			return b, err
		}
		_, err = tx.ExecContext(ctx, `UPDATE queue SET running = 1, owner = ?, lease_until = ? WHERE build_id = ?`, workerID, toMicros(until), id)
		if err != nil {
			return b, err
		}
		return b, s.recordBuild(ctx, tx, catalog.EventBuildStarted, id)
	})
}

// perNamespace is one row of selectWaiting or selectRunning.
type perNamespace struct{ namespace, n, servedAt int64 }

func scanPerNamespace(row scanner) (p perNamespace, err error) {
	return p, row.Scan(&p.namespace, &p.n, &p.servedAt)
}

// nextBuild chooses among the namespaces with fewest running the one that was
// served longest ago, and of that the oldest build: with one build at a time,
// too, namespaces take turns. Those that run as many as they may are passed over.
func (s *Store) nextBuild(ctx context.Context, tx *sql.Tx, busiest int, now time.Time) (int64, error) {
	waiting, err := all(ctx, tx, scanPerNamespace, selectWaiting, toMicros(now))
	if err != nil {
		return 0, err
	}
	if len(waiting) == 0 {
		return 0, errNothingWaits
	}
	counts, err := all(ctx, tx, scanPerNamespace, selectRunning)
	if err != nil {
		return 0, err
	}
	running := map[int64]int64{}
	for _, c := range counts {
		running[c.namespace] = c.n
	}
	most, err := s.mostRunning(ctx, tx)
	if err != nil {
		return 0, err
	}
	waiting = slices.DeleteFunc(waiting, func(n perNamespace) bool {
		most := most(n.namespace)
		return most > 0 && running[n.namespace] >= most
	})
	if len(waiting) == 0 {
		return 0, errNothingWaits
	}
	next := nextOf(waiting, running)
	if running[next.namespace] > int64(busiest) {
		return 0, errNothingWaits
	}
	_, err = tx.ExecContext(ctx, `UPDATE namespaces SET served_at = ? WHERE id = ?`, toMicros(now), next.namespace)
	return next.n, err
}

// nextOf chooses the namespace that is served next.
func nextOf(waiting []perNamespace, running map[int64]int64) perNamespace {
	return slices.MinFunc(waiting, func(a, b perNamespace) int {
		return cmp.Or(cmp.Compare(running[a.namespace], running[b.namespace]), cmp.Compare(a.servedAt, b.servedAt), cmp.Compare(a.n, b.n))
	})
}

func errLost(buildID int64) *catalog.Error {
	return catalog.Errorf(catalog.Conflict, "build %d is no longer leased to this worker", buildID)
}

// leased returns a build that a worker has leased.
func leased(ctx context.Context, tx *sql.Tx, buildID int64, workerID string) (catalog.Build, error) {
	var ok bool
	err := tx.QueryRowContext(ctx, `SELECT running = 1 AND owner = ? FROM queue WHERE build_id = ?`, workerID, buildID).Scan(&ok)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !ok {
		return catalog.Build{}, errLost(buildID)
	}
	if err != nil {
		return catalog.Build{}, err
	}
	return buildByID(ctx, tx, buildID)
}

// ExtendLease prolongs a lease.
func (s *Store) ExtendLease(ctx context.Context, buildID int64, workerID string, until time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE queue SET lease_until = ? WHERE build_id = ? AND running = 1 AND owner = ?`,
			toMicros(until), buildID, workerID)
		return touched(result, err, errLost(buildID))
	})
}

// ReleaseBuild hands a build back to the queue.
func (s *Store) ReleaseBuild(ctx context.Context, buildID int64, workerID string, notBefore time.Time, refund bool) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		b, err := leased(ctx, tx, buildID, workerID)
		if err != nil {
			return err
		}
		if refund {
			b.Attempts--
		}
		return requeue(ctx, tx, b, notBefore)
	})
}

func requeue(ctx context.Context, tx *sql.Tx, b catalog.Build, notBefore time.Time) error {
	b.StartedAt = time.Time{}
	if err := enter(ctx, tx, &b, catalog.Pending); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE queue SET running = 0, owner = '', lease_until = 0, not_before = ? WHERE build_id = ?`,
		toMicros(notBefore), b.ID)
	return err
}

// ReclaimBuilds hands back the builds of other owners and of ended leases.
func (s *Store) ReclaimBuilds(ctx context.Context, workerID string, now time.Time) (int, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (int, error) {
		lost, err := all(ctx, tx, func(row scanner) (id int64, err error) { return id, row.Scan(&id) },
			selectLost, workerID, toMicros(now))
		if err != nil {
			return 0, err
		}
		for _, id := range lost {
			b, err := buildByID(ctx, tx, id)
			if err != nil {
				return 0, err
			}
			if err := requeue(ctx, tx, b, time.Time{}); err != nil {
				return 0, err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE queue SET not_before = 0 WHERE running = 0 AND not_before > ?`, toMicros(now.Add(catalog.LongestPause)))
		return len(lost), err
	})
}

// NextWake returns when the next waiting build may be claimed.
func (s *Store) NextWake(ctx context.Context) (at time.Time, ok bool, err error) {
	err = s.r.QueryRowContext(ctx, selectWake).Scan(timeColumn{&at})
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return at, err == nil, fail(err)
}

// FinishBuild ends a leased build and its version.
func (s *Store) FinishBuild(ctx context.Context, buildID int64, workerID string, r catalog.BuildResult) error {
	if r.Outcome == catalog.OutcomeBuilt && r.Digest == "" {
		return catalog.FieldErrorf("digest", "a built version has a digest")
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		b, err := leased(ctx, tx, buildID, workerID)
		if err != nil {
			return err
		}
		b.Outcome, b.Message, b.EndedAt = r.Outcome, r.Message, r.EndedAt
		if b.Outcome == catalog.OutcomeBuilt {
			if err := takeTombstone(ctx, tx, b.ImageID, b.Version, r.Digest); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE versions SET digest = ?, size = ?, recipe = ? WHERE id = ?`, r.Digest, r.Size, r.Recipe, b.VersionID); err != nil {
				return err
			}
			if err := insertFacts(ctx, tx, buildID, r.Facts); err != nil {
				return err
			}
		}
		if err := end(ctx, tx, &b); err != nil {
			return err
		}
		if err := s.recordBuild(ctx, tx, catalog.EventBuildFinished, buildID); err != nil {
			return err
		}
		return insertSteps(ctx, tx, buildID, r.Steps)
	})
}
