package rest

import (
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// statusError overrides the status of its code, for what only HTTP knows.
type statusError struct {
	error
	status int
}

func (e statusError) Unwrap() error { return e.error }

func withStatus(status int, err error) error { return statusError{err, status} }

func statusOf(err error) int {
	if catalog.IsDiskFull(err) || errors.Is(err, catalog.ErrNearlyFull) {
		return http.StatusInsufficientStorage
	}
	var special statusError
	if errors.As(err, &special) {
		return special.status
	}
	return catalog.CodeOf(err).HTTPStatus()
}

// defaultRetryAfter is what a limited client is told to wait, in seconds, when
// the limit itself does not say.
const defaultRetryAfter = "5"

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client is gone
	}
	status := statusOf(err)
	if catalog.IsDiskFull(err) {
		err = catalog.Wrap(catalog.Unavailable, err, "the server's disk is full and nothing was changed; try again later, or tell the server's administrator")
	}
	knows := knowsErrors(r)
	switch {
	case !knows && contract400(status):
		status = http.StatusBadRequest
	case !knows && status == http.StatusGone:
		status = http.StatusNotFound
	}
	log := requests.Logger(r.Context())
	if status >= http.StatusInternalServerError {
		log.Error("request failed", "method", r.Method, "path", r.URL.EscapedPath(), "error", err)
	} else {
		log.Debug("request refused", "method", r.Method, "path", r.URL.EscapedPath(), "error", err)
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="fandogh"`)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", defaultRetryAfter)
		requests.SetRetryAfter(w.Header(), err)
	}
	if !knows && (status == http.StatusBadRequest || status == http.StatusTooManyRequests) {
		body := errorBody(err)
		fields := api.FieldErrors{}
		for _, about := range body.Errors {
			maps.Copy(fields, about)
		}
		writeJSON(w, status, fields)
		return
	}
	writeJSON(w, status, errorBody(err))
}

// knowsErrors reports whether a client asked for errors as they are.
func knowsErrors(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), api.ErrorType)
}

// contract400 reports whether the published contract knows a status as 400 alone.
func contract400(status int) bool {
	switch status {
	case http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return true
	}
	return false
}

func errorBody(err error) api.Error {
	field, message := "detail", catalog.MessageOf(err)
	var e *catalog.Error
	if errors.As(err, &e) && e.Field != "" {
		field = e.Field
	}
	return api.Error{Code: string(catalog.CodeOf(err)), Message: message, Errors: []map[string][]string{{field: {message}}}, Contents: &api.Contents{Message: message}}
}
