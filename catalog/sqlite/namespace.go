package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"

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
		if err := within(ctx, tx, s.limits.Load().Namespaces, "shared namespaces", countNamespaces, ownerID); err != nil {
			return catalog.Namespace{}, err
		}
		return s.createNamespace(ctx, tx, name, ownerID, ownerID)
	})
}

// createNamespace makes a namespace. creatorID is the user it counts for, 0 for none.
func (s *Store) createNamespace(ctx context.Context, tx *sql.Tx, name string, ownerID, creatorID int64) (catalog.Namespace, error) {
	if err := catalog.ValidateNamespace(name); err != nil {
		return catalog.Namespace{}, err
	}
	if err := namespaceIsFree(ctx, tx, name); err != nil {
		return catalog.Namespace{}, err
	}
	n, err := scanNamespace(tx.QueryRowContext(ctx, `INSERT INTO namespaces (name, creator_id) VALUES (?, ?) RETURNING id, name`, name, orNull(creatorID)))
	switch {
	case taken(err):
		return n, catalog.Errorf(catalog.Conflict, "namespace %q already exists", name)
	case dangling(err):
		return n, errNoUser
	}
	if err != nil {
		return n, err
	}
	return n, s.setRole(ctx, tx, n.ID, ownerID, catalog.RoleAdmin)
}

// Namespace returns a namespace by its name.
func (s *Store) Namespace(ctx context.Context, name string) (catalog.Namespace, error) {
	return namespaceByName(ctx, s.r, name)
}

// ListNamespaces returns the namespaces a user belongs to, newest first.
func (s *Store) ListNamespaces(ctx context.Context, userID int64, page catalog.Page) ([]catalog.Namespace, error) {
	before, limit := bounds(page)
	return all(ctx, s.r, scanNamespace, selectNamespacesOf, userID, before, limit)
}

const selectNamespacesOf = `SELECT namespaces.id, namespaces.name FROM members
	CROSS JOIN namespaces ON namespaces.id = members.namespace_id
	WHERE members.user_id = ? AND members.namespace_id < ? ORDER BY members.namespace_id DESC LIMIT ?`

const selectAllNamespaces = `SELECT namespaces.id, namespaces.name, EXISTS (SELECT 1 FROM users WHERE name = namespaces.name),
		(SELECT count(*) FROM images WHERE namespace_id = namespaces.id),
		(SELECT json_group_array(users.name) FROM members JOIN users ON users.id = members.user_id
			WHERE namespace_id = namespaces.id AND role = ?)
	FROM namespaces WHERE namespaces.name > ? ORDER BY namespaces.name LIMIT ?`

// ListAllNamespaces returns the namespaces of the installation by name.
func (s *Store) ListAllNamespaces(ctx context.Context, page catalog.NamePage) ([]catalog.NamespaceSummary, error) {
	return all(ctx, s.r, func(row scanner) (n catalog.NamespaceSummary, err error) {
		var owners []byte
		if err := row.Scan(&n.ID, &n.Name, &n.Personal, &n.Images, &owners); err != nil {
			return n, err
		}
		err = json.Unmarshal(owners, &n.Owners)
		slices.Sort(n.Owners)
		return n, err
	}, selectAllNamespaces, catalog.RoleAdmin, page.After, limitOf(page))
}

// DeleteNamespace removes a shared namespace.
func (s *Store) DeleteNamespace(ctx context.Context, name string, withImages bool) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		n, err := namespaceByName(ctx, tx, name)
		if err != nil {
			return err
		}
		var personal bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE name = ?)`, n.Name).Scan(&personal); err != nil {
			return err
		}
		if personal {
			return catalog.Errorf(catalog.Conflict, "namespace %q is the personal namespace of the user of that name; it is deleted with the user", n.Name)
		}
		return s.deleteNamespace(ctx, tx, n, withImages)
	})
}

// deleteNamespace removes a namespace, what is in it, and what happened there: of all
// that, the next owner of the name is to find nothing.
func (s *Store) deleteNamespace(ctx context.Context, tx *sql.Tx, n catalog.Namespace, withImages bool) error {
	if err := namespaceIsNotMoving(ctx, tx, n.Name); err != nil {
		return err
	}
	images, err := all(ctx, tx, func(row scanner) (id int64, err error) { return id, row.Scan(&id) },
		`SELECT id FROM images WHERE namespace_id = ? ORDER BY source_id IS NULL, id`, n.ID)
	if err != nil {
		return err
	}
	if len(images) > 0 && !withImages {
		return catalog.Errorf(catalog.Conflict, "namespace %q has %d images; delete them first, or use the option that deletes them with it", n.Name, len(images))
	}
	for _, id := range images {
		if err := s.deleteImage(ctx, tx, id); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM namespaces WHERE id = ?`, n.ID); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM events WHERE namespace = ?`, n.Name); err != nil {
		return err
	}
	return removeNamespace(ctx, tx, n.Name)
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
	if to < catalog.RoleNone || to > catalog.RoleAdmin {
		return catalog.FieldErrorf("role", "the role does not exist")
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		n, err := namespaceByName(ctx, tx, namespace)
		if err != nil {
			return err
		}
		if to != catalog.RoleAdmin {
			if err := checkNotLastOwner(ctx, tx, n, userID); err != nil {
				return err
			}
		}
		return s.setRole(ctx, tx, n.ID, userID, to)
	})
}

func checkNotLastOwner(ctx context.Context, tx *sql.Tx, n catalog.Namespace, userID int64) error {
	had, err := role(ctx, tx, n.ID, userID)
	if err != nil || had != catalog.RoleAdmin {
		return err
	}
	var others int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM members WHERE namespace_id = ? AND user_id <> ? AND role = ?`,
		n.ID, userID, catalog.RoleAdmin).Scan(&others); err != nil {
		return err
	}
	if others == 0 {
		return catalog.Errorf(catalog.Conflict, "namespace %q would be left without an admin; make another member an admin first", n.Name)
	}
	return nil
}

// setRole changes a user's role, and records nothing when that is the role already.
func (s *Store) setRole(ctx context.Context, tx *sql.Tx, namespaceID, userID int64, to catalog.Role) error {
	if _, err := userByID(ctx, tx, userID); err != nil {
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

const selectMembers = `SELECT ` + userColumns + `, members.role FROM members CROSS JOIN users ON users.id = members.user_id
	WHERE members.namespace_id = ? AND members.user_id < ? ORDER BY members.user_id DESC LIMIT ?`

// Members returns a namespace's members.
func (s *Store) Members(ctx context.Context, namespace string, page catalog.Page) ([]catalog.Member, error) {
	n, err := namespaceByName(ctx, s.r, namespace)
	if err != nil {
		return nil, err
	}
	before, limit := bounds(page)
	return all(ctx, s.r, func(row scanner) (m catalog.Member, err error) {
		return m, row.Scan(append(userFields(&m.User), &m.Role)...)
	}, selectMembers, n.ID, before, limit)
}
