package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// answer is how an error looks on the wire: the OCI code and the HTTP status.
type answer struct {
	code   string
	status int
}

var answers = map[catalog.Code]answer{
	catalog.Invalid:      {"UNSUPPORTED", http.StatusBadRequest},
	catalog.Unauthorized: {"UNAUTHORIZED", http.StatusUnauthorized},
	catalog.Forbidden:    {"DENIED", http.StatusForbidden},
	catalog.NotFound:     {"NAME_UNKNOWN", http.StatusNotFound},
	catalog.Conflict:     {"DENIED", http.StatusConflict},
	catalog.TooLarge:     {"SIZE_INVALID", http.StatusRequestEntityTooLarge},
	catalog.RateLimited:  {"TOOMANYREQUESTS", http.StatusTooManyRequests},
	catalog.Unavailable:  {"UNAVAILABLE", http.StatusServiceUnavailable},
	catalog.Internal:     {"UNKNOWN", http.StatusInternalServerError},
}

// What an error is about, where OCI has codes of their own.
const (
	aboutManifest = "manifest"
	aboutBlob     = "blob"
	aboutDigest   = "digest"
	aboutName     = "name" // as catalog has it
)

// codes are OCI's for errors that are about something.
var codes = map[catalog.Code]map[string]string{
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
	code := catalog.CodeOf(err)
	a := answers[code]
	if about, ok := codes[code][fieldOf(err)]; ok {
		a.code = about
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
	var limited interface{ RetryAfter() time.Duration }
	if errors.As(err, &limited) {
		w.Header().Set("Retry-After", strconv.Itoa(int(limited.RetryAfter().Seconds())))
	}
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	writeJSON(w, a.status, wireErrors{[]wireError{{a.code, catalog.MessageOf(err)}}})
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
