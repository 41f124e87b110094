package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
)

const restoreDatabase = "restore the database from a backup"

// Check returns what is wrong with the database itself.
func (s *Store) Check(ctx context.Context) (faults []catalog.Fault, err error) {
	found, err := all(ctx, s.r, scanText, `PRAGMA integrity_check`)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 || found[0] != "ok" {
		for _, line := range found { // of the rest nothing can be said
			faults = append(faults, catalog.Fault{What: line, Advice: restoreDatabase})
		}
		return faults, nil
	}
	for _, check := range []func(context.Context) ([]catalog.Fault, error){s.checkKeys, s.checkStates, s.checkQueue, s.checkBuilds} {
		more, err := check(ctx)
		if err != nil {
			return faults, err
		}
		faults = append(faults, more...)
	}
	return faults, nil
}

// danglingRow names a row of another table that is not there.
type danglingRow struct {
	table, parent string
	id            sql.NullInt64 // not known of a table without row IDs
	key           int           // of the table's foreign keys
}

// neverDropped are the tables whose rows users were told of.
var neverDropped = []string{"namespaces", "images", "versions", "builds", "tombstones", "lfs_objects"}

// checkKeys looks for rows that name others that are not there.
func (s *Store) checkKeys(ctx context.Context) (faults []catalog.Fault, err error) {
	dangling, err := all(ctx, s.r, func(row scanner) (d danglingRow, err error) {
		return d, row.Scan(&d.table, &d.id, &d.parent, &d.key)
	}, `PRAGMA foreign_key_check`)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, d := range dangling {
		what := fmt.Sprintf("row %d of %s names one of %s that is not there", d.id.Int64, d.table, d.parent)
		if !d.id.Valid {
			what = fmt.Sprintf("rows of %s name some of %s that are not there", d.table, d.parent)
		}
		if seen[what] {
			continue
		}
		seen[what] = true
		fault := catalog.Fault{What: what, Advice: restoreDatabase}
		var column string
		var goes, optional bool // with the other row
		err := s.r.QueryRowContext(ctx, `SELECT keys."from", keys.on_delete = 'CASCADE', columns."notnull" = 0 FROM pragma_foreign_key_list(?1) keys
			JOIN pragma_table_info(?1) columns ON columns.name = keys."from" WHERE keys.id = ?2`, d.table, d.key).Scan(&column, &goes, &optional)
		switch {
		case err != nil:
			return nil, fail(err)
		case !goes && optional && d.parent == "users":
			fault.Mend = s.statement("no row of them names one that is not there", fmt.Sprintf(`UPDATE %q SET %q = NULL WHERE %[2]q NOT IN (SELECT rowid FROM %[3]q)`, d.table, column, d.parent))
		case goes && !slices.Contains(neverDropped, d.table):
			fault.Mend = s.statement("such rows were deleted, as they would have been with the others", fmt.Sprintf(`DELETE FROM %q WHERE %q NOT IN (SELECT rowid FROM %q)`, d.table, column, d.parent))
		}
		faults = append(faults, fault)
	}
	return faults, nil
}

// statement mends by one statement.
func (s *Store) statement(did, statement string, args ...any) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return did, s.write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, statement, args...)
			return err
		})
	}
}

// selectDisagreements finds versions whose row says something else than their newest build's.
const selectDisagreements = `SELECT namespaces.name || '/' || images.name || ':' || versions.name, versions.id, versions.state, versions.digest, coalesce(b.id, 0), coalesce(b.state, '')
	FROM versions JOIN images ON images.id = versions.image_id JOIN namespaces ON namespaces.id = images.namespace_id
	LEFT JOIN builds b ON b.id = (SELECT max(id) FROM builds WHERE builds.version_id = versions.id)
	WHERE b.state IS NOT versions.state`

type disagreement struct {
	name           string
	version, build int64 // build is 0 where there is none
	state, ofBuild catalog.State
	digest         string
}

// checkStates looks for versions that say something else than their newest build.
func (s *Store) checkStates(ctx context.Context) (faults []catalog.Fault, err error) {
	found, err := all(ctx, s.r, func(row scanner) (d disagreement, err error) {
		return d, row.Scan(&d.name, &d.version, &d.state, &d.digest, &d.build, &d.ofBuild)
	}, selectDisagreements)
	for _, d := range found {
		newest := d.ofBuild
		if d.build == 0 {
			newest = "missing"
		}
		fault := catalog.Fault{What: fmt.Sprintf("%s: the version is %s and its newest build %s", d.name, d.state, newest)}
		switch {
		case d.build == 0:
			fault.Mend = s.recordLostBuild(d)
		case d.state == catalog.Built: // what is built never changes
			fault.Advice = restoreDatabase + ", or delete the version"
		case d.ofBuild == catalog.Built && d.digest == "":
			fault.Advice = "it is not known which image was built; " + restoreDatabase
		default:
			fault.Mend = s.statement("the version has the state of its build again", `UPDATE versions SET state = ? WHERE id = ?`, d.ofBuild, d.version)
		}
		faults = append(faults, fault)
	}
	return faults, err
}

// recordLostBuild makes a record of a build that is gone. A version that it left waiting has failed.
func (s *Store) recordLostBuild(d disagreement) func(context.Context) (string, error) {
	state, outcome := d.state, catalog.OutcomeInfrastructure
	switch d.state {
	case catalog.Built:
		outcome = catalog.OutcomeBuilt
	case catalog.BuildFailed:
		outcome = catalog.OutcomeUserError
	default:
		state = catalog.Failed
	}
	return func(ctx context.Context) (string, error) {
		return "a record of the build was made, which says that the one it had was lost", s.write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO builds (version_id, number, trigger_kind, commit_id, options, state, outcome, message, queued_at, ended_at)
				SELECT id, 1, trigger_kind, commit_id, '{}', ?, ?, 'the record of this build was lost', created_at, created_at FROM versions WHERE id = ?`, state, outcome, d.version)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `UPDATE versions SET state = ? WHERE id = ?`, state, d.version)
			return err
		})
	}
}

// stuckBuild is a build that the queue has otherwise than the build says.
type stuckBuild struct {
	id     int64
	name   string
	state  catalog.State
	newest bool // of its version
}

func scanStuck(row scanner) (b stuckBuild, err error) {
	return b, row.Scan(&b.id, &b.name, &b.state, &b.newest)
}

const selectStuck = `SELECT builds.id, namespaces.name || '/' || images.name || ':' || versions.name || ': build ' || builds.number, builds.state,
		builds.id = (SELECT max(id) FROM builds others WHERE others.version_id = builds.version_id)
	FROM builds JOIN versions ON versions.id = builds.version_id JOIN images ON images.id = versions.image_id JOIN namespaces ON namespaces.id = images.namespace_id `

// checkQueue looks for what the queue has of builds that ended, or that it has otherwise.
func (s *Store) checkQueue(ctx context.Context) (faults []catalog.Fault, err error) {
	ended, err := all(ctx, s.r, scanStuck, selectStuck+`JOIN queue ON queue.build_id = builds.id WHERE builds.state NOT IN (?, ?)`, catalog.Pending, catalog.Building)
	if err != nil {
		return nil, err
	}
	for _, b := range ended {
		faults = append(faults, catalog.Fault{What: fmt.Sprintf("%s is %s, and still in the queue", b.name, b.state),
			Mend: s.statement("it was taken out of the queue", `DELETE FROM queue WHERE build_id = ?`, b.id)})
	}
	others, err := all(ctx, s.r, scanStuck, selectStuck+`JOIN queue ON queue.build_id = builds.id
		WHERE builds.state = ? AND queue.running = 1 OR builds.state = ? AND queue.running = 0`, catalog.Pending, catalog.Building)
	for _, b := range others {
		faults = append(faults, catalog.Fault{What: fmt.Sprintf("%s is %s, and the queue has it otherwise", b.name, b.state), Mend: s.waitAgain(b)})
	}
	return faults, err
}

// checkBuilds looks for builds that nothing will ever begin.
func (s *Store) checkBuilds(ctx context.Context) (faults []catalog.Fault, err error) {
	lost, err := all(ctx, s.r, scanStuck, selectStuck+`WHERE builds.state IN (?, ?) AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.build_id = builds.id)`,
		catalog.Pending, catalog.Building)
	for _, b := range lost {
		fault := catalog.Fault{What: fmt.Sprintf("%s is %s, and not in the queue", b.name, b.state), Mend: s.waitAgain(b)}
		if !b.newest {
			fault.Mend = s.statement("it has ended as failed", `UPDATE builds SET state = ?, outcome = ?, message = 'it was lost from the queue', ended_at = queued_at WHERE id = ?`,
				catalog.Failed, catalog.OutcomeInfrastructure, b.id)
		}
		faults = append(faults, fault)
	}
	return faults, err
}

// waitAgain puts a build into the queue as one that waits.
func (s *Store) waitAgain(b stuckBuild) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return "it waits in the queue again", s.write(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `DELETE FROM queue WHERE build_id = ?`, b.id); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO queue (build_id, version_id, namespace_id) SELECT builds.id, versions.id, images.namespace_id
				FROM builds JOIN versions ON versions.id = builds.version_id JOIN images ON images.id = versions.image_id WHERE builds.id = ?`, b.id)
			if err != nil {
				return err
			}
			build, err := buildByID(ctx, tx, b.id)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `UPDATE builds SET state = ?, started_at = 0 WHERE id = ?`, catalog.Pending, b.id)
			_, versionErr := tx.ExecContext(ctx, `UPDATE versions SET state = ? WHERE id = ?`, catalog.Pending, build.VersionID)
			return errors.Join(err, versionErr)
		})
	}
}
