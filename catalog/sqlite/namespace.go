package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/fandoghpaas/fandogh/catalog"
)

func scanNamespace(row scanner) (n catalog.Namespace, err error) {
	return n, row.Scan(&n.ID, &n.Name)
}

func namespaceByName(ctx context.Context, q querier, name string) (catalog.Namespace, error) {
	return one(ctx, q, scanNamespace, catalog.Errorf(catalog.NotFound, "namespace %q does not exist", name),
		`SELECT id, name FROM namespaces WHERE name = ?`, name)
}

// CreateNamespace makes a namespace owned by a user.
func (s *Store) CreateNamespace(ctx context.Context, name string, ownerID int64) (catalog.Namespace, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Namespace, error) {
		return s.createNamespace(ctx, tx, name, ownerID)
	})
}

func (s *Store) createNamespace(ctx context.Context, tx *sql.Tx, name string, ownerID int64) (catalog.Namespace, error) {
	if err := catalog.ValidateNamespace(name); err != nil {
		return catalog.Namespace{}, err
	}
	n, err := scanNamespace(tx.QueryRowContext(ctx, `INSERT INTO namespaces (name) VALUES (?) RETURNING id, name`, name))
	if taken(err) {
		return n, catalog.Errorf(catalog.Conflict, "namespace %q exists already", name)
	}
	if err != nil {
		return n, err
	}
	return n, s.setRole(ctx, tx, n.ID, ownerID, catalog.RoleOwner)
}

// ListNamespaces returns the namespaces a user belongs to, by name.
func (s *Store) ListNamespaces(ctx context.Context, userID int64) ([]catalog.Namespace, error) {
	return all(ctx, s.r, scanNamespace, `SELECT namespaces.id, namespaces.name FROM members
		JOIN namespaces ON namespaces.id = members.namespace_id
		WHERE members.user_id = ? ORDER BY namespaces.name`, userID)
}

// Role returns a user's role, RoleNone for a stranger.
func (s *Store) Role(ctx context.Context, userID int64, namespace string) (catalog.Role, error) {
	n, err := namespaceByName(ctx, s.r, namespace)
	if err != nil {
		return catalog.RoleNone, err
	}
	return role(ctx, s.r, n.ID, userID)
}

func role(ctx context.Context, q querier, namespaceID, userID int64) (r catalog.Role, err error) {
	err = q.QueryRowContext(ctx, `SELECT role FROM members WHERE namespace_id = ? AND user_id = ?`, namespaceID, userID).Scan(&r)
	if errors.Is(err, sql.ErrNoRows) {
		return catalog.RoleNone, nil
	}
	return r, fail(err)
}

// SetMember gives a user a role, RoleNone removes the member.
func (s *Store) SetMember(ctx context.Context, namespace string, userID int64, to catalog.Role) error {
	if to < catalog.RoleNone || to > catalog.RoleOwner {
		return catalog.FieldErrorf("role", "there is no such role")
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		n, err := namespaceByName(ctx, tx, namespace)
		if err != nil {
			return err
		}
		if to != catalog.RoleOwner {
			if err := checkNotLastOwner(ctx, tx, n, userID); err != nil {
				return err
			}
		}
		return s.setRole(ctx, tx, n.ID, userID, to)
	})
}

func checkNotLastOwner(ctx context.Context, tx *sql.Tx, n catalog.Namespace, userID int64) error {
	had, err := role(ctx, tx, n.ID, userID)
	if err != nil || had != catalog.RoleOwner {
		return err
	}
	var others int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM members WHERE namespace_id = ? AND user_id <> ? AND role = ?`,
		n.ID, userID, catalog.RoleOwner).Scan(&others); err != nil {
		return err
	}
	if others == 0 {
		return catalog.Errorf(catalog.Conflict, "namespace %q would be left without an admin; make somebody else its admin first", n.Name)
	}
	return nil
}

// setRole changes a user's role, and records nothing when that is the role already.
func (s *Store) setRole(ctx context.Context, tx *sql.Tx, namespaceID, userID int64, to catalog.Role) error {
	if _, err := one(ctx, tx, scanUser, errNoUser, `SELECT `+userColumns+` FROM users WHERE id = ?`, userID); err != nil {
		return err
	}
	had, err := role(ctx, tx, namespaceID, userID)
	if err != nil || had == to {
		return err
	}
	if to == catalog.RoleNone {
		_, err = tx.ExecContext(ctx, `DELETE FROM members WHERE namespace_id = ? AND user_id = ?`, namespaceID, userID)
	} else {
		_, err = tx.ExecContext(ctx, `INSERT INTO members (namespace_id, user_id, role) VALUES (?, ?, ?)
			ON CONFLICT (namespace_id, user_id) DO UPDATE SET role = excluded.role`, namespaceID, userID, to)
	}
	if err != nil {
		return err
	}
	return s.recordMember(ctx, tx, namespaceID, userID, to)
}

// Members returns a namespace's members by user name.
func (s *Store) Members(ctx context.Context, namespace string) ([]catalog.Member, error) {
	n, err := namespaceByName(ctx, s.r, namespace)
	if err != nil {
		return nil, err
	}
	return all(ctx, s.r, func(row scanner) (m catalog.Member, err error) {
		return m, row.Scan(append(userFields(&m.User), &m.Role)...)
	}, `SELECT `+userColumns+`, members.role FROM members JOIN users ON users.id = members.user_id
		WHERE members.namespace_id = ? ORDER BY users.name`, n.ID)
}
