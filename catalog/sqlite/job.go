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

const jobColumns = `id, kind, key, subject, payload, state, attempts, not_before, created_at, ended_at, answer`

func scanJob(row scanner) (j catalog.Job, err error) {
	return j, row.Scan(&j.ID, &j.Kind, &j.Key, &j.Subject, &j.Payload, &j.State, &j.Attempts,
		timeColumn{&j.NotBefore}, timeColumn{&j.CreatedAt}, timeColumn{&j.EndedAt}, &j.Answer)
}

var errNoJob = catalog.Errorf(catalog.NotFound, "no job is waiting")

// PutJobs stores jobs, all or none.
func (s *Store) PutJobs(ctx context.Context, jobs []catalog.NewJob, now time.Time) ([]catalog.PutJob, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) ([]catalog.PutJob, error) {
		put := make([]catalog.PutJob, 0, len(jobs))
		for _, n := range jobs {
			p, err := putJob(ctx, tx, n, now)
			if err != nil {
				return nil, err
			}
			put = append(put, p)
		}
		return put, nil
	})
}

func putJob(ctx context.Context, tx *sql.Tx, n catalog.NewJob, now time.Time) (catalog.PutJob, error) {
	payload := n.Payload
	if payload == nil {
		payload = []byte{}
	}
	// Of jobs that are there, only a failed one is touched.
	j, err := scanJob(tx.QueryRowContext(ctx, `INSERT INTO jobs (kind, key, subject, namespace_id, payload, state, not_before, created_at)
		VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?)
		ON CONFLICT (kind, key) DO UPDATE SET payload = excluded.payload, subject = excluded.subject, namespace_id = excluded.namespace_id, state = 'waiting', attempts = 0,
			not_before = excluded.not_before, ended_at = 0
		WHERE jobs.state = 'failed'
		RETURNING `+jobColumns, n.Kind, n.Key, n.Subject, n.NamespaceID, payload, toMicros(n.NotBefore), toMicros(now)))
	if !errors.Is(err, sql.ErrNoRows) {
		return catalog.PutJob{Job: j}, err
	}
	j, err = scanJob(tx.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs WHERE kind = ? AND key = ?`, n.Kind, n.Key))
	return catalog.PutJob{Job: j, Known: true}, err
}

// selectWaitingOf lists the namespaces with waiting jobs of a kind, each by one look into
// jobs_to_do, however many wait. There is a row of null behind the last.
const selectWaitingOf = `WITH RECURSIVE waiting (namespace_id) AS (
		SELECT min(namespace_id) FROM jobs WHERE state = 'waiting' AND kind = @kind
		UNION ALL
		SELECT (SELECT min(namespace_id) FROM jobs WHERE state = 'waiting' AND kind = @kind AND namespace_id > waiting.namespace_id)
			FROM waiting WHERE waiting.namespace_id IS NOT NULL)
	SELECT first.id, first.not_before, running FROM (SELECT (SELECT id FROM jobs WHERE state = 'waiting' AND kind = @kind AND namespace_id = waiting.namespace_id AND not_before <= @before
			ORDER BY not_before, id LIMIT 1) AS job,
		(SELECT count(*) FROM jobs WHERE state = 'running' AND kind = @kind AND namespace_id = waiting.namespace_id) AS running
	FROM waiting) CROSS JOIN jobs AS first ON first.id = job WHERE running <= @busiest`

const selectNextJob = `SELECT not_before FROM jobs WHERE state = 'waiting' AND kind = ? ORDER BY not_before LIMIT 1`

// candidate is a namespace's first job of a kind.
type candidate struct{ id, at, running int64 }

func scanCandidate(row scanner) (c candidate, err error) {
	return c, row.Scan(&c.id, &c.at, &c.running)
}

// nextJob chooses among the first jobs of all namespaces.
func nextJob(ctx context.Context, tx *sql.Tx, kinds []catalog.JobKind, busiest int, now time.Time) (int64, error) {
	var found []candidate
	for _, kind := range kinds {
		some, err := all(ctx, tx, scanCandidate, selectWaitingOf, sql.Named("kind", kind), sql.Named("before", toMicros(now)), sql.Named("busiest", busiest))
		if err != nil {
			return 0, err
		}
		found = append(found, some...)
	}
	if len(found) == 0 {
		return 0, errNoJob
	}
	return slices.MinFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.running, b.running), cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id))
	}).id, nil
}

// ClaimJob leases the next job.
func (s *Store) ClaimJob(ctx context.Context, kinds []catalog.JobKind, workerID string, busiest int, now, until time.Time) (catalog.Job, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Job, error) {
		id, err := nextJob(ctx, tx, kinds, busiest, now)
		if err != nil {
			return catalog.Job{}, err
		}
		return scanJob(tx.QueryRowContext(ctx, `UPDATE jobs SET state = 'running', attempts = attempts + 1, owner = ?, lease_until = ?
			WHERE id = ? RETURNING `+jobColumns, workerID, toMicros(until), id))
	})
}

func errJobLost(id int64) *catalog.Error {
	return catalog.Errorf(catalog.Conflict, "job %d is no longer leased to this worker", id)
}

// EndJob records a leased job as done or failed.
func (s *Store) EndJob(ctx context.Context, id int64, workerID string, state catalog.JobState, answer string, now time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE jobs SET state = ?, answer = ?, ended_at = ?, owner = '', lease_until = 0
			WHERE id = ? AND state = 'running' AND owner = ?`, state, answer, toMicros(now), id, workerID)
		return touched(result, err, errJobLost(id))
	})
}

// RetryJob makes a leased job wait again.
func (s *Store) RetryJob(ctx context.Context, id int64, workerID string, notBefore time.Time, answer string, refund bool) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE jobs SET state = 'waiting', answer = ?, not_before = ?, attempts = attempts - ?, owner = '', lease_until = 0
			WHERE id = ? AND state = 'running' AND owner = ?`, answer, toMicros(notBefore), refund, id, workerID)
		return touched(result, err, errJobLost(id))
	})
}

// ReclaimJobs makes jobs wait again that no worker has.
func (s *Store) ReclaimJobs(ctx context.Context, kinds []catalog.JobKind, workerID string, now time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, kind := range kinds {
			_, err := tx.ExecContext(ctx, `UPDATE jobs SET state = 'waiting', owner = '', lease_until = 0
				WHERE state = 'running' AND kind = ? AND (owner <> ? OR lease_until < ?)`, kind, workerID, toMicros(now))
			if err == nil {
				_, err = tx.ExecContext(ctx, `UPDATE jobs SET not_before = ? WHERE state = 'waiting' AND kind = ? AND not_before > ?`,
					toMicros(now), kind, toMicros(now.Add(catalog.LongestPause)))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// NextJob returns when the next waiting job may be claimed.
func (s *Store) NextJob(ctx context.Context, kinds []catalog.JobKind) (at time.Time, ok bool, err error) {
	for _, kind := range kinds {
		var next time.Time
		err := s.r.QueryRowContext(ctx, selectNextJob, kind).Scan(timeColumn{&next})
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return time.Time{}, false, fail(err)
		}
		if !ok || next.Before(at) {
			at, ok = next, true
		}
	}
	return at, ok, nil
}

const selectJobsOf = `SELECT ` + jobColumns + ` FROM jobs WHERE kind = ? AND subject = ? AND id < ? ORDER BY id DESC LIMIT ?`

// ListJobs returns a subject's jobs of a kind, newest first.
func (s *Store) ListJobs(ctx context.Context, kind catalog.JobKind, subject int64, page catalog.Page) ([]catalog.Job, error) {
	before, limit := bounds(page)
	return all(ctx, s.r, scanJob, selectJobsOf, kind, subject, before, limit)
}

// RepeatJob makes a job wait again that has ended.
func (s *Store) RepeatJob(ctx context.Context, kind catalog.JobKind, subject, id int64, now time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		j, err := one(ctx, tx, scanJob, catalog.Errorf(catalog.NotFound, "there is no such delivery any more"),
			`SELECT `+jobColumns+` FROM jobs WHERE id = ? AND kind = ? AND subject = ?`, id, kind, subject)
		if err != nil {
			return err
		}
		if j.State != catalog.JobDone && j.State != catalog.JobFailed {
			return catalog.Errorf(catalog.Conflict, "this delivery is being sent; wait for what comes of it")
		}
		_, err = tx.ExecContext(ctx, `UPDATE jobs SET state = 'waiting', attempts = 0, not_before = ?, ended_at = 0 WHERE id = ?`, toMicros(now), id)
		return err
	})
}

// PruneJobs forgets jobs that ended before a time.
func (s *Store) PruneJobs(ctx context.Context, before time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM jobs WHERE state IN ('done', 'failed') AND ended_at < ?`, toMicros(before))
		return err
	})
}
