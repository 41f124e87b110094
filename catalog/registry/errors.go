package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// ociCodes are OCI's for errors by their code.
var ociCodes = map[catalog.Code]string{
	catalog.Invalid:      "UNSUPPORTED",
	catalog.Unauthorized: "UNAUTHORIZED",
	catalog.Forbidden:    "DENIED",
	catalog.NotFound:     "NAME_UNKNOWN",
	catalog.Moved:        "NAME_UNKNOWN",
	catalog.Conflict:     "DENIED",
	catalog.TooLarge:     "SIZE_INVALID",
	catalog.RateLimited:  "TOOMANYREQUESTS",
	catalog.Unavailable:  "UNAVAILABLE",
	catalog.Internal:     "UNKNOWN",
}

// What an error is about, where OCI has codes of their own.
const (
	aboutManifest = "manifest"
	aboutBlob     = "blob"
	aboutDigest   = "digest"
	aboutName     = "name" // as catalog has it
)

// aboutCodes are OCI's for errors that are about something.
var aboutCodes = map[catalog.Code]map[string]string{
	catalog.NotFound: {aboutManifest: "MANIFEST_UNKNOWN", aboutBlob: "BLOB_UNKNOWN"},
	catalog.Invalid:  {aboutManifest: "MANIFEST_INVALID", aboutDigest: "DIGEST_INVALID", aboutName: "NAME_INVALID", "namespace": "NAME_INVALID", "image": "NAME_INVALID"},
}

// methodError is the refusal of a method that an address does not have.
type methodError struct{ message, allow string }

func (e *methodError) Error() string { return e.message }

// errDeletesNothing is the answer for what is there and goes another way.
var errDeletesNothing = &methodError{"deleting is not supported here; delete the version or the image in Fandogh, and its tag goes with it", "GET, HEAD"}

// orUnknown is an error of looking, or that nothing was found.
func orUnknown(err error, about, format string, args ...any) error {
	if err != nil {
		return err
	}
	return &catalog.Error{Code: catalog.NotFound, Field: about, Message: fmt.Sprintf(format, args...)}
}

type wireErrors struct {
	Errors []wireError `json:"errors"`
}

type wireError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (r *Registry) fail(w http.ResponseWriter, req *http.Request, err error) {
	if catalog.IsDiskFull(err) {
		r.logger.Error("the disk is full", "method", req.Method, "path", req.URL.Path, "error", err)
		err = catalog.Wrap(catalog.Unavailable, err, "the server's disk is full; try again later, or tell the server's administrator")
	}
	if errors.Is(err, context.Canceled) && req.Context().Err() != nil {
		err = catalog.Wrap(catalog.Invalid, err, "the client went away before all that it sends had come") // which is for the log
	}
	code := catalog.CodeOf(err)
	ociCode, ok := aboutCodes[code][fieldOf(err)]
	if !ok {
		ociCode = ociCodes[code]
	}
	var method *methodError
	if errors.As(err, &method) {
		w.Header().Set("Allow", method.allow)
		writeJSON(w, http.StatusMethodNotAllowed, wireErrors{[]wireError{{"UNSUPPORTED", method.message}}})
		return
	}
	if code == catalog.Internal {
		r.logger.Error("request failed", "method", req.Method, "path", req.URL.Path, "error", err)
	} else {
		r.logger.Debug("request refused", "method", req.Method, "path", req.URL.Path, "error", err)
	}
	if code == catalog.Unauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="fandogh"`)
	}
	requests.SetRetryAfter(w.Header(), err)
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	status := code.HTTPStatus()
	if code == catalog.Moved {
		status = http.StatusNotFound // which alone clients show the reason of
	}
	writeJSON(w, status, wireErrors{[]wireError{{ociCode, catalog.MessageOf(err)}}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A failed write is a client that went away.
	_ = json.NewEncoder(w).Encode(body)
}

func fieldOf(err error) string {
	var e *catalog.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}
