package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
)

// QueueState returns how many builds wait and run.
func (s *Store) QueueState(ctx context.Context) (state catalog.QueueState, err error) {
	err = s.r.QueryRowContext(ctx, selectQueue).Scan(&state.Waiting, &state.Running, timeColumn{&state.Oldest})
	return state, fail(err)
}

// QueuePause returns whether and why the queue is paused.
func (s *Store) QueuePause(ctx context.Context) (catalog.QueuePause, error) {
	return queuePause(ctx, s.r)
}

func queuePause(ctx context.Context, q querier) (p catalog.QueuePause, err error) {
	err = q.QueryRowContext(ctx, `SELECT who, since, reason FROM queue_pause`).Scan(&p.By, timeColumn{&p.Since}, &p.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return catalog.QueuePause{}, nil
	}
	return p, fail(err)
}

// PauseQueue has no build start.
func (s *Store) PauseQueue(ctx context.Context, by, reason string) (catalog.QueuePause, error) {
	if err := catalog.ValidatePauseReason(reason); err != nil {
		return catalog.QueuePause{}, err
	}
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.QueuePause, error) {
		_, err := tx.ExecContext(ctx, `INSERT INTO queue_pause (id, who, since, reason) VALUES (1, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET who = excluded.who, reason = excluded.reason`, by, toMicros(s.now()), reason)
		if err != nil {
			return catalog.QueuePause{}, err
		}
		return queuePause(ctx, tx)
	})
}

// ResumeQueue ends the pause.
func (s *Store) ResumeQueue(ctx context.Context) (catalog.QueuePause, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.QueuePause, error) {
		was, err := queuePause(ctx, tx)
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM queue_pause`)
		}
		return was, err
	})
}

// selectAllWaiting is in the order of builds, so that of each namespace the oldest is first.
const selectAllWaiting = `SELECT namespace_id, build_id, (SELECT served_at FROM namespaces WHERE id = namespace_id) FROM queue WHERE running = 0 ORDER BY build_id`

// QueuePlace says where a build stands among those that wait.
func (s *Store) QueuePlace(ctx context.Context, buildID int64) (catalog.QueuePlace, error) {
	own, err := one(ctx, s.r, scanPerNamespace, errNothingWaits, `SELECT namespace_id, build_id, not_before FROM queue WHERE build_id = ? AND running = 0`, buildID)
	if err != nil {
		return catalog.QueuePlace{}, err
	}
	waiting, running, err := waitingAndRunning(ctx, s.r)
	if err != nil {
		return catalog.QueuePlace{}, err
	}
	most, err := s.mostRunning(ctx, s.r)
	if err != nil {
		return catalog.QueuePlace{}, err
	}
	place := catalog.QueuePlace{Waiting: len(waiting), OfNamespace: int(running[own.namespace]), MostOfNamespace: int(most(own.namespace)), NotBefore: fromMicros(own.servedAt)}
	for _, n := range running {
		place.Running += int(n)
	}
	for id := range inOrder(waiting, running) {
		if place.Place++; id == buildID {
			break
		}
	}
	place.Pause, err = queuePause(ctx, s.r)
	return place, err
}

// waitingAndRunning returns the builds that wait, by ID, and how many of each namespace run.
func waitingAndRunning(ctx context.Context, q querier) (waiting []perNamespace, running map[int64]int64, err error) {
	if waiting, err = all(ctx, q, scanPerNamespace, selectAllWaiting); err != nil {
		return nil, nil, err
	}
	counts, err := all(ctx, q, scanPerNamespace, selectRunning)
	running = map[int64]int64{}
	for _, c := range counts {
		running[c.namespace] = c.n
	}
	return waiting, running, err
}

// inOrder yields the builds that wait as nextBuild would choose them if none ended meanwhile. It uses up the map.
func inOrder(waiting []perNamespace, running map[int64]int64) iter.Seq[int64] {
	queues, served := map[int64][]int64{}, map[int64]int64{}
	for _, w := range waiting {
		queues[w.namespace], served[w.namespace] = append(queues[w.namespace], w.n), w.servedAt
	}
	return func(yield func(int64) bool) {
		for place := range len(waiting) {
			var heads []perNamespace
			for namespace, builds := range queues {
				if len(builds) > 0 {
					heads = append(heads, perNamespace{namespace: namespace, n: builds[0], servedAt: served[namespace]})
				}
			}
			next := nextOf(heads, running)
			if !yield(next.n) {
				return
			}
			queues[next.namespace] = queues[next.namespace][1:]
			served[next.namespace] = int64(place) + 1<<60 // after all that have not been
			running[next.namespace]++
		}
	}
}

// ListQueue returns the builds that run and those that wait, in order.
func (s *Store) ListQueue(ctx context.Context, after int64, limit int) ([]catalog.QueueEntry, error) {
	ids, err := all(ctx, s.r, func(row scanner) (id int64, err error) { return id, row.Scan(&id) }, `SELECT build_id FROM queue WHERE running = 1 ORDER BY build_id`)
	if err != nil {
		return nil, err
	}
	waiting, running, err := waitingAndRunning(ctx, s.r)
	if err != nil {
		return nil, err
	}
	begun := len(ids)
	ids = slices.AppendSeq(ids, inOrder(waiting, running))
	from := slices.Index(ids, after) + 1
	var entries []catalog.QueueEntry
	for i := from; i < min(len(ids), from+min(limit, maxPage)); i++ {
		e, running, err := s.queueEntry(ctx, ids[i])
		if errors.Is(err, errNothingWaits) { // it ended meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		if !running {
			e.Place = max(i-begun, 0) + 1
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (s *Store) queueEntry(ctx context.Context, buildID int64) (e catalog.QueueEntry, running bool, err error) {
	err = s.r.QueryRowContext(ctx, `SELECT queue.running, queue.not_before, coalesce(users.name, '') FROM queue
		JOIN builds ON builds.id = queue.build_id LEFT JOIN users ON users.id = builds.user_id WHERE queue.build_id = ?`, buildID).
		Scan(&running, timeColumn{&e.NotBefore}, &e.User)
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, errNothingWaits
	}
	if err != nil {
		return e, false, fail(err)
	}
	e.Build, err = buildByID(ctx, s.r, buildID)
	return e, running, err
}
