package gitserver

import (
	"errors"
	"syscall"

	"github.com/fandoghpaas/fandogh/catalog"
)

// codeFaces is how an error's code looks to git and to SSH.
var codeFaces = map[catalog.Code]struct {
	report string // put before the message in git's report lines
	exit   int    // of an SSH command
}{
	catalog.Invalid:      {"", 2},
	catalog.Unauthorized: {"not allowed: ", 77},
	catalog.Forbidden:    {"not allowed: ", 77},
	catalog.NotFound:     {"", 66},
	catalog.Conflict:     {"", 73},
	catalog.TooLarge:     {"too large: ", 78},
	catalog.RateLimited:  {"try later: ", 75},
	catalog.Unavailable:  {"try later: ", 75},
	catalog.Internal:     {"", 70},
}

// reportLine is an error in words for a user. Of our own faults it names the one
// that is no secret and passes.
func reportLine(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = catalog.Wrap(catalog.Unavailable, err, "the server's disk is full; nothing was changed, push again later or tell who runs the server")
	}
	return codeFaces[catalog.CodeOf(err)].report + catalog.MessageOf(err)
}

func exitStatus(err error) int {
	if err == nil {
		return 0
	}
	return codeFaces[catalog.CodeOf(err)].exit
}
