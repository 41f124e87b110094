package lfs

import (
	"errors"
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
)

// answerTo returns how both protocols tell a client of an error, and whether it is a fault of ours, for the log.
func answerTo(err error) (status int, message string, fault bool) {
	if catalog.IsDiskFull(err) {
		return http.StatusInsufficientStorage, "the server's disk is full and nothing was stored; try again later, or tell the server's administrator", true
	}
	if errors.Is(err, catalog.ErrNearlyFull) {
		return http.StatusInsufficientStorage, catalog.MessageOf(err), false
	}
	code := catalog.CodeOf(err)
	if status = code.HTTPStatus(); code == catalog.Invalid {
		status = http.StatusUnprocessableEntity // as the API has it
	}
	return status, catalog.MessageOf(err), code == catalog.Internal
}
