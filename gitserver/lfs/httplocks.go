package lfs

import (
	"net/http"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
)

type lockAnswer struct {
	Lock    wireLock `json:"lock"`
	Message string   `json:"message,omitempty"`
}

// createLock locks a file.
func (c *call) createLock() error {
	var request struct {
		Path string `json:"path"`
	}
	if err := c.read(&request); err != nil {
		return err
	}
	lock, err := c.server.lock(c.r.Context(), c.Caller, request.Path)
	switch {
	case catalog.CodeOf(err) == catalog.Conflict:
		return c.answer(http.StatusConflict, lockAnswer{onWire(lock), catalog.MessageOf(err)})
	case err != nil:
		return err
	}
	return c.answer(http.StatusCreated, lockAnswer{Lock: onWire(lock)})
}

// listLocks lists some locks.
func (c *call) listLocks() error {
	image, err := c.server.imageFor(c.r.Context(), c.Caller, Download)
	if err != nil {
		return err
	}
	query := c.r.URL.Query()
	filter := catalog.LFSLockFilter{Path: query.Get("path")}
	filter.Limit, _ = strconv.Atoi(query.Get("limit")) // what is no number is no limit
	filter.After, err = parseLockID(query.Get("cursor"))
	if err == nil {
		filter.ID, err = parseLockID(query.Get("id"))
	}
	out := struct {
		Locks []wireLock `json:"locks"`
		Next  string     `json:"next_cursor,omitempty"`
	}{Locks: []wireLock{}}
	var found []catalog.LFSLock
	if err == nil {
		found, out.Next, err = c.server.locks(c.r.Context(), image, filter)
	}
	if err != nil && catalog.CodeOf(err) != catalog.NotFound { // an ID that none has
		return err
	}
	for _, l := range found {
		out.Locks = append(out.Locks, onWire(l))
	}
	return c.answer(http.StatusOK, out)
}

// verifyLocks lists locks by whose they are, as git-lfs asks before a push.
func (c *call) verifyLocks() error {
	var request struct {
		Cursor string `json:"cursor"`
		Limit  int    `json:"limit"`
	}
	if err := c.read(&request); err != nil {
		return err
	}
	after, err := parseLockID(request.Cursor)
	if err != nil {
		return err
	}
	image, err := c.server.imageFor(c.r.Context(), c.Caller, Upload)
	if err != nil {
		return err
	}
	found, next, err := c.server.locks(c.r.Context(), image, catalog.LFSLockFilter{After: after, Limit: request.Limit})
	if err != nil {
		return err
	}
	out := struct {
		Ours   []wireLock `json:"ours"`
		Theirs []wireLock `json:"theirs"`
		Next   string     `json:"next_cursor,omitempty"`
	}{[]wireLock{}, []wireLock{}, next}
	for _, l := range found {
		if l.OwnerID == c.Caller.Identity.User.ID {
			out.Ours = append(out.Ours, onWire(l))
		} else {
			out.Theirs = append(out.Theirs, onWire(l))
		}
	}
	return c.answer(http.StatusOK, out)
}

// deleteLock unlocks a file.
func (c *call) deleteLock() error {
	var request struct {
		Force bool `json:"force"`
	}
	if err := c.read(&request); err != nil {
		return err
	}
	lock, err := c.server.unlock(c.r.Context(), c.Caller, c.value, request.Force)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, lockAnswer{Lock: onWire(lock)})
}
