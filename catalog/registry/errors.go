package registry

import (
	"encoding/json"
	"errors"
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

// manifestUnknown marks the one not_found that OCI calls otherwise.
const manifestUnknown = "manifest"

type wireErrors struct {
	Errors []wireError `json:"errors"`
}

type wireError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (r *Registry) fail(w http.ResponseWriter, req *http.Request, err error) {
	code := catalog.CodeOf(err)
	a := answers[code]
	if code == catalog.NotFound && fieldOf(err) == manifestUnknown {
		a.code = "MANIFEST_UNKNOWN"
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
