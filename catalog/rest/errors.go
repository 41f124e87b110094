package rest

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

var statuses = map[catalog.Code]int{
	catalog.Invalid:      http.StatusBadRequest,
	catalog.Unauthorized: http.StatusUnauthorized,
	catalog.Forbidden:    http.StatusForbidden,
	catalog.NotFound:     http.StatusNotFound,
	catalog.Conflict:     http.StatusConflict,
	catalog.TooLarge:     http.StatusRequestEntityTooLarge,
	catalog.RateLimited:  http.StatusTooManyRequests,
	catalog.Unavailable:  http.StatusServiceUnavailable,
	catalog.Internal:     http.StatusInternalServerError,
}

// statusError overrides the status of its code, for what only HTTP knows.
type statusError struct {
	error
	status int
}

func (e statusError) Unwrap() error { return e.error }

func withStatus(status int, err error) error { return statusError{err, status} }

func statusOf(err error) int {
	var special statusError
	if errors.As(err, &special) {
		return special.status
	}
	return statuses[catalog.CodeOf(err)]
}

// defaultRetryAfter is what a limited client is told to wait, in seconds, when
// the limit itself does not say.
const defaultRetryAfter = "5"

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to read it
	}
	status := statusOf(err)
	log := requestLogger(r.Context())
	if status >= http.StatusInternalServerError {
		log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	} else {
		log.Debug("request refused", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="fandogh"`)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", defaultRetryAfter)
		var limited interface{ RetryAfter() time.Duration }
		if errors.As(err, &limited) {
			w.Header().Set("Retry-After", strconv.Itoa(int(limited.RetryAfter().Seconds())))
		}
	}
	writeJSON(w, status, errorBody(status, err))
}

func errorBody(status int, err error) api.Error {
	field, message := "detail", catalog.MessageOf(err)
	var e *catalog.Error
	if errors.As(err, &e) && e.Field != "" {
		field = e.Field
	}
	body := api.Error{Message: message, Errors: []map[string][]string{{field: {message}}}}
	// Clients print every key of a 400 and a 429, so those say it only twice.
	if status != http.StatusBadRequest && status != http.StatusTooManyRequests {
		body.Contents = &api.Contents{Message: message}
	}
	return body
}
