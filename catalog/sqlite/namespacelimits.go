package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const selectNamespaceLimits = `SELECT cpus, memory, pids, disk, log, timeout, running, waiting, quota_bytes, quota_images, quota_versions, quota_builds FROM namespace_limits WHERE namespace_id = ?`

// NamespaceLimits returns what is set for a namespace.
func (s *Store) NamespaceLimits(ctx context.Context, namespace string) (catalog.NamespaceLimits, error) {
	n, err := namespaceByName(ctx, s.r, namespace)
	if err != nil {
		return catalog.NamespaceLimits{}, err
	}
	return limitsOf(ctx, s.r, n.ID)
}

// limitsOf returns what is set for a namespace, nothing where it has no row.
func limitsOf(ctx context.Context, q querier, namespaceID int64) (l catalog.NamespaceLimits, err error) {
	var timeout int64
	err = q.QueryRowContext(ctx, selectNamespaceLimits, namespaceID).Scan(
		&l.Build.CPUs, &l.Build.Memory, &l.Build.PIDs, &l.Build.Disk, &l.Build.Log, &timeout, &l.Running, &l.Waiting,
		&l.Quota.Bytes, &l.Quota.Images, &l.Quota.Versions, &l.Quota.Builds)
	if errors.Is(err, sql.ErrNoRows) {
		return l, nil
	}
	l.Build.Timeout = time.Duration(timeout) * time.Microsecond
	return l, fail(err)
}

// SetNamespaceLimits replaces what is set for a namespace.
func (s *Store) SetNamespaceLimits(ctx context.Context, namespace string, l catalog.NamespaceLimits) error {
	if err := l.Validate(); err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		n, err := namespaceByName(ctx, tx, namespace)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO namespace_limits (namespace_id, cpus, memory, pids, disk, log, timeout, running, waiting,
			quota_bytes, quota_images, quota_versions, quota_builds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace_id) DO UPDATE SET cpus = excluded.cpus, memory = excluded.memory,
			pids = excluded.pids, disk = excluded.disk, log = excluded.log, timeout = excluded.timeout, running = excluded.running, waiting = excluded.waiting,
			quota_bytes = excluded.quota_bytes, quota_images = excluded.quota_images, quota_versions = excluded.quota_versions, quota_builds = excluded.quota_builds`,
			n.ID, l.Build.CPUs, l.Build.Memory, l.Build.PIDs, l.Build.Disk, l.Build.Log, l.Build.Timeout.Microseconds(), l.Running, l.Waiting,
			l.Quota.Bytes, l.Quota.Images, l.Quota.Versions, l.Quota.Builds)
		return err
	})
}

// mayWait refuses more builds where too many of their namespace would wait.
func (s *Store) mayWait(ctx context.Context, tx *sql.Tx, namespaceID int64, more int) error {
	l, err := limitsOf(ctx, tx, namespaceID)
	if err != nil {
		return err
	}
	most := l.Waiting
	if most == 0 {
		most = s.limits.Load().Waiting
	}
	var waiting int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM queue WHERE namespace_id = ? AND running = 0`, namespaceID).Scan(&waiting); err != nil {
		return err
	}
	if most > 0 && waiting > most-more {
		return catalog.Errorf(catalog.Forbidden, "%d builds of this namespace wait already, as many as may; ask again when some have started, or cancel some that you no longer need", waiting)
	}
	return nil
}

// mostRunning returns how many builds of each of some namespaces may run at once; 0: as many as the server runs.
func (s *Store) mostRunning(ctx context.Context, q querier) (of func(namespaceID int64) int64, err error) {
	set, err := all(ctx, q, scanPerNamespace, `SELECT namespace_id, running, 0 FROM namespace_limits WHERE running > 0`)
	if err != nil {
		return nil, err
	}
	own := map[int64]int64{}
	for _, n := range set {
		own[n.namespace] = n.n
	}
	return func(id int64) int64 {
		if n, ok := own[id]; ok {
			return n
		}
		return int64(s.limits.Load().Running)
	}, nil
}

const (
	countImagesOf   = `SELECT count(*) FROM images WHERE namespace_id = ?`
	countVersionsOf = `SELECT count(*) FROM images JOIN versions ON versions.image_id = images.id WHERE images.namespace_id = ?`
)

// mayHave refuses more than a namespace may have of what is counted. Bytes are for who knows the disk.
func (s *Store) mayHave(ctx context.Context, tx *sql.Tx, namespaceID int64, more catalog.Amounts) error {
	l, err := limitsOf(ctx, tx, namespaceID)
	if err != nil {
		return err
	}
	quota := l.Quota.Or(s.limits.Load().Quota)
	quota.Bytes = 0
	if quota.Check("", catalog.Amounts{Images: 1 << 30, Versions: 1 << 30, Builds: 1 << 30}, more) == nil {
		return nil // as most times: nothing is to be counted
	}
	used, err := s.used(ctx, tx, namespaceID)
	if err != nil {
		return err
	}
	var name string
	if err := tx.QueryRowContext(ctx, `SELECT name FROM namespaces WHERE id = ?`, namespaceID).Scan(&name); err != nil {
		return err
	}
	return quota.Check(name, used, more)
}

// imageMayHave is mayHave of an image's namespace. An image that is not there is for others to tell.
func (s *Store) imageMayHave(ctx context.Context, tx *sql.Tx, imageID int64, more catalog.Amounts) error {
	var namespaceID int64
	err := tx.QueryRowContext(ctx, `SELECT namespace_id FROM images WHERE id = ?`, imageID).Scan(&namespaceID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.mayHave(ctx, tx, namespaceID, more)
}

// used counts what a namespace has, but for bytes.
func (s *Store) used(ctx context.Context, q querier, namespaceID int64) (used catalog.Amounts, err error) {
	for query, to := range map[string]*int{countImagesOf: &used.Images, countVersionsOf: &used.Versions} {
		if err := q.QueryRowContext(ctx, query, namespaceID).Scan(to); err != nil {
			return used, err
		}
	}
	err = q.QueryRowContext(ctx, countBuilds, namespaceID, toMicros(s.now().Add(-catalog.QuotaDay))).Scan(&used.Builds)
	return used, err
}

// NamespaceAmounts returns what a namespace has, but for bytes.
func (s *Store) NamespaceAmounts(ctx context.Context, namespaceID int64) (catalog.Amounts, error) {
	used, err := s.used(ctx, s.r, namespaceID)
	return used, fail(err)
}
