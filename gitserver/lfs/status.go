package lfs

import (
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
)

// statuses are what both protocols answer an error with, by its code.
var statuses = map[catalog.Code]int{
	catalog.Invalid:      http.StatusUnprocessableEntity,
	catalog.Unauthorized: http.StatusUnauthorized,
	catalog.Forbidden:    http.StatusForbidden,
	catalog.NotFound:     http.StatusNotFound,
	catalog.Conflict:     http.StatusConflict,
	catalog.TooLarge:     http.StatusRequestEntityTooLarge,
	catalog.RateLimited:  http.StatusTooManyRequests,
	catalog.Unavailable:  http.StatusServiceUnavailable,
	catalog.Internal:     http.StatusInternalServerError,
}

// answerTo returns how an error is told to a client, and whether it is a fault of ours, for the log.
func answerTo(err error) (status int, message string, fault bool) {
	if catalog.IsDiskFull(err) {
		return http.StatusInsufficientStorage, "the server's disk is full and nothing was stored; try again later, or tell the server's administrator", true
	}
	code := catalog.CodeOf(err)
	return statuses[code], catalog.MessageOf(err), code == catalog.Internal
}
