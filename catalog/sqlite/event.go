package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// notifier tells this process of events, once their transaction is committed.
type notifier struct {
	mu       sync.Mutex
	changed  chan struct{}
	recorded atomic.Bool // an event, by the transaction that is open
}

func (n *notifier) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.changed == nil {
		n.changed = make(chan struct{})
	}
	return n.changed
}

func (n *notifier) notify() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
}

const eventColumns = `id, at, kind, namespace_id, namespace, image_id, image, version, commit_id, digest, state,
	build_id, number, trigger_kind, outcome, message, member, role, from_image, to_image`

func scanEvent(row scanner) (e catalog.Event, err error) {
	return e, row.Scan(&e.ID, timeColumn{&e.At}, &e.Kind, &e.NamespaceID, &e.Image.Namespace, &e.ImageID, &e.Image.Name, &e.Version,
		&e.Commit, &e.Digest, &e.State, &e.BuildID, &e.Number, &e.Trigger, &e.Outcome, &e.Message, &e.Member, &e.Role, &e.From, &e.To)
}

// recordBuild adds an event about a build as it stands in the transaction.
func (s *Store) recordBuild(ctx context.Context, tx *sql.Tx, kind catalog.EventKind, buildID int64) error {
	s.events.recorded.Store(true)
	_, err := tx.ExecContext(ctx, `INSERT INTO events (at, kind, namespace_id, namespace, image_id, image, version, commit_id, digest, state,
			build_id, number, trigger_kind, outcome, message)
		SELECT ?, ?, namespaces.id, namespaces.name, images.id, images.name, versions.name, builds.commit_id, versions.digest, builds.state,
			builds.id, builds.number, builds.trigger_kind, builds.outcome, builds.message
		FROM builds JOIN versions ON versions.id = builds.version_id
		JOIN images ON images.id = versions.image_id JOIN namespaces ON namespaces.id = images.namespace_id
		WHERE builds.id = ?`, toMicros(s.now()), kind, buildID)
	return err
}

// recordVersion adds an event about a version as it stands in the transaction.
func (s *Store) recordVersion(ctx context.Context, tx *sql.Tx, kind catalog.EventKind, versionID int64, message string) error {
	s.events.recorded.Store(true)
	_, err := tx.ExecContext(ctx, `INSERT INTO events (at, kind, namespace_id, namespace, image_id, image, version, commit_id, digest, state, trigger_kind, message)
		SELECT ?, ?, namespaces.id, namespaces.name, images.id, images.name, versions.name, versions.commit_id, versions.digest, versions.state,
			versions.trigger_kind, ?
		FROM versions JOIN images ON images.id = versions.image_id JOIN namespaces ON namespaces.id = images.namespace_id
		WHERE versions.id = ?`, toMicros(s.now()), kind, message, versionID)
	return err
}

// recordImage adds an event about an image.
func (s *Store) recordImage(ctx context.Context, tx *sql.Tx, kind catalog.EventKind, imageID int64) error {
	s.events.recorded.Store(true)
	_, err := tx.ExecContext(ctx, `INSERT INTO events (at, kind, namespace_id, namespace, image_id, image)
		SELECT ?, ?, namespaces.id, namespaces.name, images.id, images.name
		FROM images JOIN namespaces ON namespaces.id = images.namespace_id WHERE images.id = ?`, toMicros(s.now()), kind, imageID)
	return err
}

// recordMember adds an event about a user's new role in a namespace.
func (s *Store) recordMember(ctx context.Context, tx *sql.Tx, namespaceID, userID int64, to catalog.Role) error {
	s.events.recorded.Store(true)
	_, err := tx.ExecContext(ctx, `INSERT INTO events (at, kind, namespace_id, namespace, image_id, image, member, role)
		SELECT ?, ?, namespaces.id, namespaces.name, 0, '', users.name, ?
		FROM namespaces, users WHERE namespaces.id = ? AND users.id = ?`, toMicros(s.now()), catalog.EventMemberChanged, to, namespaceID, userID)
	return err
}

const (
	selectEvents            = `SELECT ` + eventColumns + ` FROM events WHERE id > ? ORDER BY id LIMIT ?`
	selectEventsInNamespace = `SELECT ` + eventColumns + ` FROM events WHERE namespace = ? AND id > ? ORDER BY id LIMIT ?`

	// selectEventsForMember merges a user's namespaces: merged begins with the next
	// event of each, and when the oldest is taken the one behind it takes its place.
	// It is one statement because with a snapshot for each namespace an event could
	// be passed over by a newer one of another.
	selectEventsForMember = `WITH RECURSIVE merged (id, namespace) AS (
			SELECT events.id, events.namespace FROM members JOIN namespaces ON namespaces.id = members.namespace_id
			JOIN events ON events.id = (SELECT min(id) FROM events WHERE namespace = namespaces.name AND id > ?2)
			WHERE members.user_id = ?1
			UNION ALL
			SELECT events.id, events.namespace FROM merged
			JOIN events ON events.id = (SELECT min(id) FROM events WHERE namespace = merged.namespace AND id > merged.id)
			ORDER BY 1 LIMIT ?3)
		SELECT ` + eventColumns + ` FROM events WHERE id IN (SELECT id FROM merged) ORDER BY id`

	// selectLatestForMember does the same from the end.
	selectLatestForMember = `WITH RECURSIVE merged (id, namespace) AS (
			SELECT events.id, events.namespace FROM members JOIN namespaces ON namespaces.id = members.namespace_id
			JOIN events ON events.id = (SELECT max(id) FROM events WHERE namespace = namespaces.name)
			WHERE members.user_id = ?1
			UNION ALL
			SELECT events.id, events.namespace FROM merged
			JOIN events ON events.id = (SELECT max(id) FROM events WHERE namespace = merged.namespace AND id < merged.id)
			ORDER BY 1 DESC LIMIT ?2)
		SELECT ` + eventColumns + ` FROM events WHERE id IN (SELECT id FROM merged) ORDER BY id DESC`
)

// EventsAfter returns events, oldest first.
func (s *Store) EventsAfter(ctx context.Context, namespace string, after int64, limit int) ([]catalog.Event, error) {
	_, limit = bounds(catalog.Page{Limit: limit})
	if namespace == "" {
		return all(ctx, s.r, scanEvent, selectEvents, after, limit)
	}
	return all(ctx, s.r, scanEvent, selectEventsInNamespace, namespace, after, limit)
}

// EventsForMember returns the events of a user's namespaces, oldest first.
func (s *Store) EventsForMember(ctx context.Context, userID, after int64, limit int) ([]catalog.Event, error) {
	_, limit = bounds(catalog.Page{Limit: limit})
	return all(ctx, s.r, scanEvent, selectEventsForMember, userID, after, limit)
}

// LatestEventsForMember returns the events of a user's namespaces, newest first.
func (s *Store) LatestEventsForMember(ctx context.Context, userID int64, limit int) ([]catalog.Event, error) {
	_, limit = bounds(catalog.Page{Limit: limit})
	return all(ctx, s.r, scanEvent, selectLatestForMember, userID, limit)
}

// LastEvent returns the newest event's ID.
func (s *Store) LastEvent(ctx context.Context) (id int64, err error) {
	err = s.r.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM events`).Scan(&id)
	return id, fail(err)
}

// EventsBehind returns how many events a consumer has not dealt with.
func (s *Store) EventsBehind(ctx context.Context, consumer string) (n int64, err error) {
	err = s.r.QueryRowContext(ctx, `SELECT count(*) FROM events WHERE id > coalesce((SELECT event_id FROM cursors WHERE consumer = ?), 0)`, consumer).Scan(&n)
	return n, fail(err)
}

// NewEvents returns a channel that is closed at the next event.
func (s *Store) NewEvents() <-chan struct{} { return s.events.next() }

// PruneEvents forgets events from before a time.
func (s *Store) PruneEvents(ctx context.Context, before time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM events WHERE at < ?`, toMicros(before))
		return err
	})
}

// Cursor returns how far a consumer has come.
func (s *Store) Cursor(ctx context.Context, consumer string) (id int64, err error) {
	err = s.r.QueryRowContext(ctx, `SELECT event_id FROM cursors WHERE consumer = ?`, consumer).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, fail(err)
}

// SetCursor records how far a consumer has come.
func (s *Store) SetCursor(ctx context.Context, consumer string, eventID int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO cursors (consumer, event_id) VALUES (?, ?)
			ON CONFLICT (consumer) DO UPDATE SET event_id = excluded.event_id`, consumer, eventID)
		return err
	})
}
