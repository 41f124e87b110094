package lfs

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
)

// lockArguments are a lock as an answer has it.
func lockArguments(l catalog.LFSLock) []string {
	return []string{fmt.Sprintf("id=%d", l.ID), "path=" + l.Path, "locked-at=" + lockTime(l), "ownername=" + l.Owner}
}

func (t *sshSession) createLock(ctx context.Context, req request) (reply, error) {
	lock, err := t.server.lock(ctx, t.caller, req.arguments["path"])
	if catalog.CodeOf(err) == catalog.Conflict {
		return reply{status: http.StatusConflict, arguments: lockArguments(lock), lines: []string{catalog.MessageOf(err)}}, nil
	}
	return reply{status: http.StatusCreated, arguments: lockArguments(lock)}, err
}

// deleteLock unlocks a file. No client says here whether it was told to force it; who is an admin may.
func (t *sshSession) deleteLock(ctx context.Context, req request) (reply, error) {
	lock, err := t.server.unlock(ctx, t.caller, req.value, true)
	return reply{status: http.StatusOK, arguments: lockArguments(lock)}, err
}

// listLocks lists some locks; for an upload also whose they are.
func (t *sshSession) listLocks(ctx context.Context, req request) (reply, error) {
	image, err := t.server.imageFor(ctx, t.caller, t.operation)
	if err != nil {
		return reply{}, err
	}
	filter := catalog.LFSLockFilter{Path: req.arguments["path"]}
	filter.Limit, _ = strconv.Atoi(req.arguments["limit"]) // what is no number is no limit
	filter.After, err = parseLockID(req.arguments["cursor"])
	if err == nil {
		filter.ID, err = parseLockID(req.arguments["id"])
	}
	answer := reply{status: http.StatusOK, lines: []string{}}
	if catalog.CodeOf(err) == catalog.NotFound { // an ID that none has
		return answer, nil
	}
	found, next, err := t.server.locks(ctx, image, filter)
	if next != "" {
		answer.arguments = []string{"next-cursor=" + next}
	}
	for _, l := range found {
		answer.lines = append(answer.lines,
			fmt.Sprintf("lock %d", l.ID), fmt.Sprintf("path %d %s", l.ID, l.Path),
			fmt.Sprintf("locked-at %d %s", l.ID, lockTime(l)), fmt.Sprintf("ownername %d %s", l.ID, l.Owner))
		if t.operation == Upload {
			whose := "theirs"
			if l.OwnerID == t.caller.Identity.User.ID {
				whose = "ours"
			}
			answer.lines = append(answer.lines, fmt.Sprintf("owner %d %s", l.ID, whose))
		}
	}
	return answer, err
}
