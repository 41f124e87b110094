package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// ErrName is a name that no path can hold; the server was not asked.
var ErrName = errors.New("is not a valid name")

// Error is the server's answer to what it did not do.
type Error struct {
	Status    int    // of HTTP
	Message   string // a sentence for the user
	Fields    map[string][]string
	RequestID string // names the request in the server's log, empty when unknown
}

// Error returns the message, and what it says of single inputs beyond it.
func (e *Error) Error() string {
	text := e.Message
	var names []string
	for name := range e.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, sentence := range e.Fields[name] {
			if !strings.Contains(text, sentence) {
				text += fmt.Sprintf("\n  %s: %s", name, sentence)
			}
		}
	}
	if e.Status >= http.StatusInternalServerError && e.RequestID != "" {
		text += fmt.Sprintf(" (request %s)", e.RequestID)
	}
	return text
}

// StatusOf returns the HTTP status of the server's refusal in err, else 0.
func StatusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// NetworkError is a request that got no whole answer.
type NetworkError struct {
	Server string // host and port
	Err    error
}

// Error says which server, and what happened.
func (e *NetworkError) Error() string { return fmt.Sprintf("no response from %s: %v", e.Server, e.Err) }

// Unwrap returns the cause.
func (e *NetworkError) Unwrap() error { return e.Err }

// maxErrorBody bounds what is read of an error, in bytes.
const maxErrorBody = 64 << 10

// refusal reads an answer that is no success.
func refusal(resp *http.Response) *Error {
	e := &Error{Status: resp.StatusCode, RequestID: resp.Header.Get("X-Request-Id")}
	if location := resp.Header.Get("Location"); resp.StatusCode < http.StatusBadRequest && location != "" {
		e.Message = fmt.Sprintf("%s redirects to %s; use that address as the server", resp.Request.URL.Host, location)
		return e
	}
	// What can't be read of it leaves the status, which is said anyway.
	body, _ := bounded.Begin(resp.Body, maxErrorBody)
	var wire api.Error
	if json.Unmarshal(body, &wire) == nil && wire.Message != "" {
		e.Message = wire.Message
		for _, fields := range wire.Errors {
			for name, sentences := range fields {
				if e.Fields == nil {
					e.Fields = map[string][]string{}
				}
				e.Fields[name] = append(e.Fields[name], sentences...)
			}
		}
		return e
	}
	e.Message = fmt.Sprintf("the server responded %s to %s %s; is it a Fandogh server?", resp.Status, resp.Request.Method, resp.Request.URL.Path)
	return e
}
