package main

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"

	_ "github.com/fandoghpaas/fandogh/catalog/sqlite" // registers the driver
)

// fill writes an image with many built versions by plain SQL: the daemon's own
// way, one durable transaction a build, would take an hour.
var fill = []string{
	`INSERT INTO images (namespace_id, name, owner_id, created_at) SELECT id, 'listed', (SELECT id FROM users WHERE name = 'bench'), 1 FROM namespaces WHERE name = 'bench'`,
	`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO versions (image_id, name, state, trigger_kind, commit_id, digest, size, created_at)
		SELECT (SELECT id FROM images WHERE name = 'listed'), 'v' || i, iif(i % 1000 = 7, 'FAILED', 'BUILT'), 'push', printf('%040x', i), printf('sha256:%064x', i), i, i FROM n`,
	`INSERT INTO builds (version_id, number, trigger_kind, commit_id, user_id, options, state, outcome, attempts, queued_at, started_at, ended_at)
		SELECT id, 1, 'push', commit_id, 1, '{}', state, 'built', 1, id, id + 1, id + 2 FROM versions WHERE id <= ?1`,
	`INSERT INTO events (at, kind, namespace_id, namespace, image_id, image, version, commit_id, digest, state, build_id, number, trigger_kind, outcome)
		SELECT v.created_at, 'build.succeeded', i.namespace_id, 'bench', i.id, i.name, v.name, v.commit_id, v.digest, v.state, b.id, 1, 'push', 'built'
		FROM versions v JOIN images i ON i.id = v.image_id JOIN builds b ON b.version_id = v.id WHERE v.id <= ?1`,
}

// startFilled runs a daemon with so many versions, and returns the tokens of who may read them.
func (b *bench) startFilled(ctx context.Context, dir string, versions int) (d *daemon, tokens []string, err error) {
	if d, err = startDaemon(ctx, b, b.path(dir)); err != nil {
		return nil, nil, err
	}
	if err = d.fillVersions(ctx, versions); err == nil {
		tokens, err = d.addReaders(ctx)
	}
	if err != nil {
		d.stop()
	}
	return d, tokens, err
}

// fillVersions makes the image and its versions.
func (d *daemon) fillVersions(ctx context.Context, size int) (err error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(d.Data, "fandogh.db")+"?_foreign_keys=on&_busy_timeout=10000")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, statement := range fill {
		args := []any{size}[:strings.Count(statement, "?1")]
		if _, err := db.ExecContext(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}
