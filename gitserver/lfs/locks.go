package lfs

import (
	"context"
	"strconv"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// wireLock is a lock as JSON.
type wireLock struct {
	ID       string    `json:"id"`
	Path     string    `json:"path"`
	LockedAt string    `json:"locked_at"`
	Owner    wireOwner `json:"owner"`
}

type wireOwner struct {
	Name string `json:"name"`
}

func onWire(l catalog.LFSLock) wireLock {
	return wireLock{strconv.FormatInt(l.ID, 10), l.Path, lockTime(l), wireOwner{l.Owner}}
}

func lockTime(l catalog.LFSLock) string { return l.LockedAt.UTC().Format(time.RFC3339) }

// parseLockID reads a lock's ID, or a cursor; empty is 0. Errors: NotFound.
func parseLockID(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, catalog.Errorf(catalog.NotFound, "lock %q does not exist", text)
	}
	return id, nil
}

// pageOfLocks is how many locks one answer has, unless fewer were asked for.
const pageOfLocks = 100

// locks returns some of an image's locks, and the cursor of those that follow, empty for none. An image that
// does not exist yet has none.
func (s *Server) locks(ctx context.Context, image catalog.Image, f catalog.LFSLockFilter) (locks []catalog.LFSLock, next string, err error) {
	if f.Limit <= 0 || f.Limit > pageOfLocks {
		f.Limit = pageOfLocks
	}
	if locks, err = s.config.Store.ListLFSLocks(ctx, image.ID, f); err == nil && len(locks) == f.Limit {
		next = strconv.FormatInt(locks[len(locks)-1].ID, 10)
	}
	return locks, next, err
}

// lock locks a path for a caller who may write. A lock that is there is returned with the Conflict.
func (s *Server) lock(ctx context.Context, c Caller, path string) (catalog.LFSLock, error) {
	image, err := s.config.Store.Image(ctx, c.Ref)
	if err != nil {
		return catalog.LFSLock{}, err
	}
	l, err := s.config.Store.CreateLFSLock(ctx, image.ID, path, c.Identity.User.ID)
	if err == nil {
		c.Audit.Info("file locked", "image", c.Ref, "path", path, "lock", l.ID)
	}
	return l, err
}

// unlock removes a lock for a caller who may write: their own, or by force another's, which takes an admin of the namespace.
// Errors: NotFound, Forbidden.
func (s *Server) unlock(ctx context.Context, c Caller, text string, force bool) (catalog.LFSLock, error) {
	id, err := parseLockID(text)
	if err != nil {
		return catalog.LFSLock{}, err
	}
	image, err := s.config.Store.Image(ctx, c.Ref)
	if err != nil {
		return catalog.LFSLock{}, err
	}
	found, err := s.config.Store.ListLFSLocks(ctx, image.ID, catalog.LFSLockFilter{ID: id})
	if err == nil && (id == 0 || len(found) == 0) {
		err = catalog.Errorf(catalog.NotFound, "lock %q does not exist", text)
	}
	if err != nil {
		return catalog.LFSLock{}, err
	}
	l := found[0]
	if l.OwnerID != c.Identity.User.ID {
		refused := catalog.Errorf(catalog.Forbidden, "%s is locked by %s; beside them, an admin of namespace %q can unlock it with --force", l.Path, l.Owner, c.Ref.Namespace)
		if !force {
			return l, refused
		}
		err := c.StillMay(ctx, catalog.ActionManage)
		if catalog.CodeOf(err) == catalog.Forbidden {
			return l, refused
		}
		if err != nil {
			return l, err
		}
	}
	err = s.config.Store.DeleteLFSLock(ctx, image.ID, l.ID)
	if err == nil {
		c.Audit.Info("file unlocked", "image", c.Ref, "path", l.Path, "lock", l.ID, "of", l.Owner)
	}
	return l, err
}
