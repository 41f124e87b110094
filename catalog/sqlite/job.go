package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const jobColumns = `id, kind, key, subject, payload, state, attempts, not_before, created_at, ended_at, answer`

func scanJob(row scanner) (j catalog.Job, err error) {
	return j, row.Scan(&j.ID, &j.Kind, &j.Key, &j.Subject, &j.Payload, &j.State, &j.Attempts,
		timeColumn{&j.NotBefore}, timeColumn{&j.CreatedAt}, timeColumn{&j.EndedAt}, &j.Answer)
}

var errNoJob = catalog.Errorf(catalog.NotFound, "no job waits")

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
	j, err := scanJob(tx.QueryRowContext(ctx, `INSERT INTO jobs (kind, key, subject, payload, state, not_before, created_at)
		VALUES (?, ?, ?, ?, 'waiting', ?, ?)
		ON CONFLICT (kind, key) DO UPDATE SET payload = excluded.payload, subject = excluded.subject, state = 'waiting', attempts = 0,
			not_before = excluded.not_before, ended_at = 0
		WHERE jobs.state = 'failed'
		RETURNING `+jobColumns, n.Kind, n.Key, n.Subject, payload, toMicros(n.NotBefore), toMicros(now)))
	if !errors.Is(err, sql.ErrNoRows) {
		return catalog.PutJob{Job: j}, err
	}
	j, err = scanJob(tx.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs WHERE kind = ? AND key = ?`, n.Kind, n.Key))
	return catalog.PutJob{Job: j, Known: true}, err
}

// nextJob asks each kind by itself, so that every look is one into jobs_to_do.
func nextJob(kinds []catalog.JobKind, before time.Time) (query string, args []any) {
	var parts []string
	for _, kind := range slices.Compact(slices.Sorted(slices.Values(kinds))) {
		parts = append(parts, `SELECT * FROM (SELECT id, not_before FROM jobs WHERE state = 'waiting' AND kind = ? AND not_before <= ?
			ORDER BY not_before, id LIMIT 1)`)
		args = append(args, kind, toMicros(before))
	}
	return fmt.Sprintf(`%s ORDER BY not_before, id LIMIT 1`, strings.Join(parts, ` UNION ALL `)), args
}

// forever is later than any job's time.
var forever = time.UnixMicro(1<<62 - 1)

func firstJob(ctx context.Context, q querier, kinds []catalog.JobKind, before time.Time) (id int64, at time.Time, err error) {
	if len(kinds) == 0 {
		return 0, at, errNoJob
	}
	query, args := nextJob(kinds, before)
	err = q.QueryRowContext(ctx, query, args...).Scan(&id, timeColumn{&at})
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoJob
	}
	return id, at, err
}

// ClaimJob leases the job that waits longest.
func (s *Store) ClaimJob(ctx context.Context, kinds []catalog.JobKind, owner string, now, until time.Time) (catalog.Job, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Job, error) {
		id, _, err := firstJob(ctx, tx, kinds, now)
		if err != nil {
			return catalog.Job{}, err
		}
		return scanJob(tx.QueryRowContext(ctx, `UPDATE jobs SET state = 'running', attempts = attempts + 1, owner = ?, lease_until = ?
			WHERE id = ? RETURNING `+jobColumns, owner, toMicros(until), id))
	})
}

func errJobLost(id int64) *catalog.Error {
	return catalog.Errorf(catalog.Conflict, "job %d is not leased to this worker any more", id)
}

// EndJob records a leased job as done or failed.
func (s *Store) EndJob(ctx context.Context, id int64, owner string, state catalog.JobState, answer string, now time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE jobs SET state = ?, answer = ?, ended_at = ?, owner = '', lease_until = 0
			WHERE id = ? AND state = 'running' AND owner = ?`, state, answer, toMicros(now), id, owner)
		return touched(result, err, errJobLost(id))
	})
}

// RetryJob makes a leased job wait again.
func (s *Store) RetryJob(ctx context.Context, id int64, owner string, notBefore time.Time, answer string, refund bool) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE jobs SET state = 'waiting', answer = ?, not_before = ?, attempts = attempts - ?, owner = '', lease_until = 0
			WHERE id = ? AND state = 'running' AND owner = ?`, answer, toMicros(notBefore), refund, id, owner)
		return touched(result, err, errJobLost(id))
	})
}

// ReclaimJobs makes jobs wait again that nobody works on.
func (s *Store) ReclaimJobs(ctx context.Context, kinds []catalog.JobKind, owner string, now time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, kind := range kinds {
			if _, err := tx.ExecContext(ctx, `UPDATE jobs SET state = 'waiting', owner = '', lease_until = 0
				WHERE state = 'running' AND kind = ? AND (owner <> ? OR lease_until < ?)`, kind, owner, toMicros(now)); err != nil {
				return err
			}
		}
		return nil
	})
}

// NextJob returns when the next waiting job may be claimed.
func (s *Store) NextJob(ctx context.Context, kinds []catalog.JobKind) (time.Time, bool, error) {
	_, at, err := firstJob(ctx, s.r, kinds, forever)
	if catalog.CodeOf(err) == catalog.NotFound {
		return time.Time{}, false, nil
	}
	return at, err == nil, fail(err)
}

const selectJobsOf = `SELECT ` + jobColumns + ` FROM jobs WHERE kind = ? AND subject = ? AND id < ? ORDER BY id DESC LIMIT ?`

// ListJobs returns a subject's jobs of a kind, newest first.
func (s *Store) ListJobs(ctx context.Context, kind catalog.JobKind, subject int64, page catalog.Page) ([]catalog.Job, error) {
	before, limit := bounds(page)
	return all(ctx, s.r, scanJob, selectJobsOf, kind, subject, before, limit)
}

// PruneJobs forgets jobs that ended before a time.
func (s *Store) PruneJobs(ctx context.Context, before time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM jobs WHERE state IN ('done', 'failed') AND ended_at < ?`, toMicros(before))
		return err
	})
}
