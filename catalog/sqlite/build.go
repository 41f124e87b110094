package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const selectBuild = `SELECT builds.id, builds.version_id, builds.number, namespaces.name, images.name, images.id,
		coalesce(source.id, images.id), coalesce(source.name, images.name), versions.name, versions.tag,
		builds.trigger_kind, builds.commit_id, builds.tag_id, builds.signature, coalesce(builds.user_id, 0), builds.options, builds.state, builds.outcome,
		builds.message, builds.attempts, builds.queued_at, builds.started_at, builds.ended_at, builds.log_removed_at, builds.cancelled
	FROM builds JOIN versions ON versions.id = builds.version_id
	JOIN images ON images.id = versions.image_id JOIN namespaces ON namespaces.id = images.namespace_id
	LEFT JOIN images source ON source.id = images.source_id `

const selectBuilds = selectBuild + `WHERE builds.version_id = ? AND builds.id < ? ORDER BY builds.id DESC LIMIT ?`

func scanBuild(row scanner) (b catalog.Build, err error) {
	err = row.Scan(&b.ID, &b.VersionID, &b.Number, &b.Image.Namespace, &b.Image.Name, &b.ImageID, &b.SourceID, &b.Source.Name, &b.Version, &b.Tag,
		&b.Trigger, &b.Commit, &b.TagObject, jsonColumn{&b.Signature}, &b.UserID, jsonColumn{&b.Options}, &b.State, &b.Outcome,
		&b.Message, &b.Attempts, timeColumn{&b.QueuedAt}, timeColumn{&b.StartedAt}, timeColumn{&b.EndedAt}, timeColumn{&b.LogRemovedAt}, &b.Cancelled)
	b.Source.Namespace = b.Image.Namespace
	return b, err
}

// jsonColumn scans what is stored as JSON.
type jsonColumn struct{ to any }

// Scan takes JSON text.
func (c jsonColumn) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return errors.New("JSON is stored as text")
	}
	return json.Unmarshal([]byte(text), c.to)
}

func buildByID(ctx context.Context, q querier, id int64) (catalog.Build, error) {
	return one(ctx, q, scanBuild, catalog.Errorf(catalog.NotFound, "build %d does not exist", id), selectBuild+`WHERE builds.id = ?`, id)
}

// Build returns one build.
func (s *Store) Build(ctx context.Context, buildID int64) (catalog.Build, error) {
	return buildByID(ctx, s.r, buildID)
}

// ListBuilds returns a version's builds, newest first.
func (s *Store) ListBuilds(ctx context.Context, versionID int64, page catalog.Page) ([]catalog.Build, error) {
	before, limit := bounds(page)
	return all(ctx, s.r, scanBuild, selectBuilds, versionID, before, limit)
}

const selectWaitingBuilds = selectBuild + `WHERE builds.id IN (SELECT build_id FROM queue WHERE running = 0 ORDER BY build_id LIMIT ?) ORDER BY builds.id`

// WaitingBuilds returns the builds that wait, the oldest first.
func (s *Store) WaitingBuilds(ctx context.Context, limit int) ([]catalog.Build, error) {
	return all(ctx, s.r, scanBuild, selectWaitingBuilds, limit)
}

const selectByNumber = selectBuild + `WHERE builds.version_id = ? AND builds.number = ?`

// BuildByNumber returns the build of a version that has a number.
func (s *Store) BuildByNumber(ctx context.Context, versionID int64, number int) (catalog.Build, error) {
	return one(ctx, s.r, scanBuild, catalog.Errorf(catalog.NotFound, "this version has no build %d", number), selectByNumber, versionID, number)
}

const selectSteps = `SELECT digest, name, platform, started_at, ended_at, cached, error, number, inputs FROM steps WHERE build_id = ? ORDER BY ordinal LIMIT ?`

// Steps returns a build's steps in the order they started.
func (s *Store) Steps(ctx context.Context, buildID int64) ([]catalog.Step, error) {
	var inputs []string
	steps, err := all(ctx, s.r, func(row scanner) (step catalog.Step, err error) {
		inputs = append(inputs, "")
		return step, row.Scan(&step.Digest, &step.Name, &step.Platform, timeColumn{&step.StartedAt}, timeColumn{&step.EndedAt}, &step.Cached, &step.Error,
			&step.Number, &inputs[len(inputs)-1])
	}, selectSteps, buildID, catalog.MaxSteps)
	if err != nil {
		return nil, err
	}
	for i := range steps {
		for ordinal := range strings.FieldsSeq(inputs[i]) {
			if at, err := strconv.Atoi(ordinal); err == nil && at >= 0 && at < len(steps) {
				steps[i].Inputs = append(steps[i].Inputs, steps[at].Digest)
			}
		}
	}
	return steps, nil
}

// insertSteps stores steps in the order they started, those that never did last.
func insertSteps(ctx context.Context, tx *sql.Tx, buildID int64, steps []catalog.Step) error {
	ordered := slices.Clone(steps)
	slices.SortStableFunc(ordered, func(a, b catalog.Step) int {
		if a.StartedAt.IsZero() != b.StartedAt.IsZero() {
			return -a.StartedAt.Compare(b.StartedAt)
		}
		return a.StartedAt.Compare(b.StartedAt)
	})
	ordinals := map[string]int{}
	for i, step := range ordered {
		ordinals[step.Digest] = i
	}
	for i, step := range ordered {
		if _, err := tx.ExecContext(ctx, `INSERT INTO steps (build_id, ordinal, digest, name, platform, started_at, ended_at, cached, error, number, inputs)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, buildID, i, step.Digest, step.Name, step.Platform,
			toMicros(step.StartedAt), toMicros(step.EndedAt), step.Cached, step.Error, step.Number, inputsOf(step, ordinals)); err != nil {
			return err
		}
	}
	return nil
}

// inputsOf lists the places of a step's inputs among the steps; one that is no step of the build is left out.
func inputsOf(step catalog.Step, ordinals map[string]int) string {
	var places []string
	for _, input := range step.Inputs {
		if at, ok := ordinals[input]; ok && len(places) < catalog.MaxStepInputs {
			places = append(places, strconv.Itoa(at))
		}
	}
	return strings.Join(places, " ")
}

// enter moves a build and its version to another state; it is the only place
// that does.
func enter(ctx context.Context, tx *sql.Tx, b *catalog.Build, next catalog.State) error {
	if !b.State.CanBecome(next) {
		return catalog.Errorf(catalog.Conflict, "build %d is %s and can't become %s", b.ID, b.State, next)
	}
	b.State = next
	if _, err := tx.ExecContext(ctx, `UPDATE builds SET state = ?, outcome = ?, message = ?, attempts = ?, cancelled = ?, started_at = ?, ended_at = ?
		WHERE id = ?`, b.State, b.Outcome, b.Message, b.Attempts, b.Cancelled, toMicros(b.StartedAt), toMicros(b.EndedAt), b.ID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE versions SET state = ? WHERE id = ?`, next, b.VersionID)
	return err
}

// CancelBuild marks a build as cancelled and ends one that waits.
func (s *Store) CancelBuild(ctx context.Context, buildID int64, now time.Time) (catalog.Build, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Build, error) {
		b, err := buildByID(ctx, tx, buildID)
		if err != nil {
			return b, err
		}
		switch b.State {
		case catalog.Building:
			b.Cancelled = true
			_, err = tx.ExecContext(ctx, `UPDATE builds SET cancelled = 1 WHERE id = ?`, b.ID)
			return b, err
		case catalog.Pending:
			b.Cancelled, b.Outcome, b.EndedAt = true, catalog.OutcomeCancelled, fromMicros(toMicros(now))
			b.Message = "cancelled before it started"
			if err := end(ctx, tx, &b); err != nil {
				return b, err
			}
			return b, s.recordBuild(ctx, tx, catalog.EventBuildFinished, b.ID)
		}
		return b, hasEnded(b)
	})
}

// AskToCancel marks a build as cancelled.
func (s *Store) AskToCancel(ctx context.Context, buildID int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		b, err := buildByID(ctx, tx, buildID)
		if err != nil {
			return err
		}
		if b.State.Ended() {
			return hasEnded(b)
		}
		_, err = tx.ExecContext(ctx, `UPDATE builds SET cancelled = 1 WHERE id = ?`, buildID)
		return err
	})
}

func hasEnded(b catalog.Build) error {
	return catalog.Errorf(catalog.Conflict, "build %d of %s:%s has already ended as %s", b.Number, b.Image, b.Version, b.State)
}

// CancelledBuilds returns the builds that wait or run and are marked as cancelled.
func (s *Store) CancelledBuilds(ctx context.Context) ([]int64, error) {
	return all(ctx, s.r, func(row scanner) (id int64, err error) { return id, row.Scan(&id) },
		`SELECT builds.id FROM queue JOIN builds ON builds.id = queue.build_id WHERE builds.cancelled = 1 ORDER BY builds.id`)
}

// end enters the state of the build's outcome and takes it off the queue.
func end(ctx context.Context, tx *sql.Tx, b *catalog.Build) error {
	if err := enter(ctx, tx, b, b.Outcome.State()); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM queue WHERE build_id = ?`, b.ID)
	return err
}
