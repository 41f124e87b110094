package sqlite

import (
	"context"
	"database/sql"
	"math"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const userColumns = `users.id, users.name, users.admin, users.created_at, users.disabled_at`

func userFields(u *catalog.User) []any {
	return []any{&u.ID, &u.Name, &u.Admin, timeColumn{&u.CreatedAt}, timeColumn{&u.DisabledAt}}
}

func scanUser(row scanner) (u catalog.User, err error) {
	return u, row.Scan(userFields(&u)...)
}

func noUser(name string) *catalog.Error {
	return catalog.Errorf(catalog.NotFound, "user %q does not exist", name)
}

var errNoUser = catalog.Errorf(catalog.NotFound, "the user does not exist")

// CreateUser stores a user and the namespace of the same name.
func (s *Store) CreateUser(ctx context.Context, n catalog.NewUser) (catalog.User, error) {
	if err := catalog.ValidateUserName(n.Name); err != nil {
		return catalog.User{}, err
	}
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.User, error) {
		u, err := scanUser(tx.QueryRowContext(ctx, `INSERT INTO users (name, admin, password_hash, created_at)
			VALUES (?, ?, ?, ?) RETURNING `+userColumns, n.Name, n.Admin, n.PasswordHash, toMicros(s.now())))
		if taken(err) {
			return u, catalog.Errorf(catalog.Conflict, "user %q already exists", n.Name)
		}
		if err != nil {
			return u, err
		}
		_, err = s.createNamespace(ctx, tx, n.Name, u.ID, 0)
		if catalog.CodeOf(err) == catalog.Conflict {
			err = catalog.Errorf(catalog.Conflict, "a shared namespace %q already exists; delete it first, or choose another user name", n.Name)
		}
		return u, err
	})
}

// User returns a user by name.
func (s *Store) User(ctx context.Context, name string) (catalog.User, error) {
	return one(ctx, s.r, scanUser, noUser(name), `SELECT `+userColumns+` FROM users WHERE name = ?`, name)
}

// UserByID returns a user by ID.
func (s *Store) UserByID(ctx context.Context, id int64) (catalog.User, error) {
	return userByID(ctx, s.r, id)
}

const selectUsers = `SELECT ` + userColumns + ` FROM users WHERE name > ? ORDER BY name LIMIT ?`

// ListUsers returns users by name.
func (s *Store) ListUsers(ctx context.Context, page catalog.NamePage) ([]catalog.User, error) {
	return all(ctx, s.r, scanUser, selectUsers, page.After, limitOf(page))
}

// PasswordHash returns the stored hash with its user.
func (s *Store) PasswordHash(ctx context.Context, name string) (catalog.User, string, error) {
	var hash string
	u, err := one(ctx, s.r, func(row scanner) (u catalog.User, err error) {
		return u, row.Scan(append(userFields(&u), &hash)...)
	}, noUser(name), `SELECT `+userColumns+`, password_hash FROM users WHERE name = ? AND disabled_at = 0`, name)
	return u, hash, err
}

// SetPasswordHash replaces the stored hash.
func (s *Store) SetPasswordHash(ctx context.Context, userID int64, hash string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = ? WHERE id = ?`, hash, userID)
		return touched(result, err, errNoUser)
	})
}

func userByID(ctx context.Context, q querier, id int64) (catalog.User, error) {
	return one(ctx, q, scanUser, errNoUser, `SELECT `+userColumns+` FROM users WHERE id = ?`, id)
}

// UpdateUser changes a user.
func (s *Store) UpdateUser(ctx context.Context, id int64, to catalog.UserUpdate) (catalog.User, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.User, error) {
		u, err := userByID(ctx, tx, id)
		if err != nil {
			return u, err
		}
		was := u
		if to.Admin != nil {
			u.Admin = *to.Admin
		}
		switch {
		case to.Disabled == nil || *to.Disabled == u.Disabled():
		case *to.Disabled:
			u.DisabledAt = s.now()
			if err := stopWaiting(ctx, tx, id); err != nil {
				return u, err
			}
		default:
			u.DisabledAt = time.Time{}
		}
		if administers(was) && !administers(u) {
			if err := checkNotLastAdmin(ctx, tx, was); err != nil {
				return u, err
			}
		}
		return scanUser(tx.QueryRowContext(ctx, `UPDATE users SET admin = ?, disabled_at = ? WHERE id = ? RETURNING `+userColumns,
			u.Admin, toMicros(u.DisabledAt), id))
	})
}

func administers(u catalog.User) bool { return u.Admin && !u.Disabled() }

func checkNotLastAdmin(ctx context.Context, tx *sql.Tx, u catalog.User) error {
	var others bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE admin AND disabled_at = 0 AND id <> ?)`, u.ID).Scan(&others)
	if err == nil && !others {
		err = catalog.Errorf(catalog.Conflict, "%s is the last administrator of this installation; make another user an administrator first", u.Name)
	}
	return err
}

// stopWaiting has the builds that a user asked for and that wait end when their turn comes.
func stopWaiting(ctx context.Context, tx *sql.Tx, userID int64) error {
	_, err := tx.ExecContext(ctx, stopWaitingBuilds, userID)
	return err
}

const stopWaitingBuilds = `UPDATE builds SET cancelled = 1 WHERE user_id = ? AND id IN (SELECT build_id FROM queue WHERE running = 0)`

// DeleteUser removes a user and the own namespace.
func (s *Store) DeleteUser(ctx context.Context, id int64, withImages bool) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		u, err := userByID(ctx, tx, id)
		if err == nil && administers(u) {
			err = checkNotLastAdmin(ctx, tx, u)
		}
		if err == nil {
			err = s.leaveNamespaces(ctx, tx, u)
		}
		if err == nil {
			err = stopWaiting(ctx, tx, id)
		}
		if err != nil {
			return err
		}
		own, err := namespaceByName(ctx, tx, u.Name)
		if err == nil {
			err = s.deleteNamespace(ctx, tx, own, withImages)
		}
		if err != nil {
			return err
		}
		for _, query := range []string{
			`UPDATE images SET owner_id = NULL WHERE owner_id = ?`,
			`UPDATE builds SET user_id = NULL WHERE user_id = ?`,
			`UPDATE webhooks SET user_id = NULL WHERE user_id = ?`,
			`DELETE FROM connections WHERE user_id = ?`, // what comes by it is built as the user
			`DELETE FROM users WHERE id = ?`,
		} {
			if _, err := tx.ExecContext(ctx, query, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// leaveNamespaces takes a user out of all namespaces but the own one, each of which
// must have another owner.
func (s *Store) leaveNamespaces(ctx context.Context, tx *sql.Tx, u catalog.User) error {
	namespaces, err := all(ctx, tx, scanNamespace, selectNamespacesOf, u.ID, math.MaxInt64, -1)
	if err != nil {
		return err
	}
	var alone []string
	for _, n := range namespaces {
		if strings.EqualFold(n.Name, u.Name) {
			continue
		}
		err := checkNotLastOwner(ctx, tx, n, u.ID)
		if catalog.CodeOf(err) == catalog.Conflict {
			alone = append(alone, n.Name)
			continue
		}
		if err == nil {
			err = s.setRole(ctx, tx, n.ID, u.ID, catalog.RoleNone)
		}
		if err != nil {
			return err
		}
	}
	if len(alone) > 0 {
		return catalog.Errorf(catalog.Conflict, "%s is the only admin of the namespaces %s; make another member an admin of each, or delete them first", u.Name, strings.Join(alone, ", "))
	}
	return nil
}
