package sqlite

import (
	"context"
	"database/sql"

	"github.com/fandoghpaas/fandogh/catalog"
)

const userColumns = `users.id, users.name, users.admin, users.created_at`

func userFields(u *catalog.User) []any {
	return []any{&u.ID, &u.Name, &u.Admin, timeColumn{&u.CreatedAt}}
}

func scanUser(row scanner) (u catalog.User, err error) {
	return u, row.Scan(userFields(&u)...)
}

func noUser(name string) *catalog.Error {
	return catalog.Errorf(catalog.NotFound, "there is no user %q", name)
}

var errNoUser = catalog.Errorf(catalog.NotFound, "there is no such user")

// CreateUser stores a user and the namespace of the same name.
func (s *Store) CreateUser(ctx context.Context, n catalog.NewUser) (catalog.User, error) {
	if err := catalog.ValidateUserName(n.Name); err != nil {
		return catalog.User{}, err
	}
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.User, error) {
		u, err := scanUser(tx.QueryRowContext(ctx, `INSERT INTO users (name, admin, password_hash, created_at)
			VALUES (?, ?, ?, ?) RETURNING `+userColumns, n.Name, n.Admin, n.PasswordHash, toMicros(s.now())))
		if taken(err) {
			return u, catalog.Errorf(catalog.Conflict, "user %q exists already", n.Name)
		}
		if err != nil {
			return u, err
		}
		_, err = s.createNamespace(ctx, tx, n.Name, u.ID)
		return u, err
	})
}

// User returns a user by name.
func (s *Store) User(ctx context.Context, name string) (catalog.User, error) {
	return one(ctx, s.r, scanUser, noUser(name), `SELECT `+userColumns+` FROM users WHERE name = ?`, name)
}

// UserByID returns a user by ID.
func (s *Store) UserByID(ctx context.Context, id int64) (catalog.User, error) {
	return one(ctx, s.r, scanUser, errNoUser, `SELECT `+userColumns+` FROM users WHERE id = ?`, id)
}

// ListUsers returns all users by name.
func (s *Store) ListUsers(ctx context.Context) ([]catalog.User, error) {
	return all(ctx, s.r, scanUser, `SELECT `+userColumns+` FROM users ORDER BY name`)
}

// PasswordHash returns the stored hash with its user.
func (s *Store) PasswordHash(ctx context.Context, name string) (catalog.User, string, error) {
	var hash string
	u, err := one(ctx, s.r, func(row scanner) (u catalog.User, err error) {
		return u, row.Scan(append(userFields(&u), &hash)...)
	}, noUser(name), `SELECT `+userColumns+`, password_hash FROM users WHERE name = ?`, name)
	return u, hash, err
}

// SetPasswordHash replaces the stored hash.
func (s *Store) SetPasswordHash(ctx context.Context, userID int64, hash string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = ? WHERE id = ?`, hash, userID)
		return touched(result, err, errNoUser)
	})
}
