// Package api holds the JSON that the REST API and its clients exchange. Field
// names and shapes are the published contract's; what goes beyond it follows
// the same style.
package api

import (
	"strings"
	"time"
)

// timeLayout is the contract's date: UTC, to the second.
const timeLayout = "2006-01-02T15:04:05Z"

// Time is a moment as the contract writes it; the zero Time is null.
type Time struct{ time.Time }

// MarshalJSON writes "YYYY-MM-DDTHH:MM:SSZ" or null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.UTC().Format(timeLayout) + `"`), nil
}

// UnmarshalJSON reads any RFC 3339 time or null.
func (t *Time) UnmarshalJSON(data []byte) error {
	s := string(data)
	if s == "null" {
		*t = Time{}
		return nil
	}
	parsed, err := time.Parse(time.RFC3339, strings.Trim(s, `"`))
	t.Time = parsed
	return err
}

// Message tells that something was done. Clients in use read the top-level
// message, the contract nests it in contents: both hold the same sentence.
type Message struct {
	Message    string   `json:"message"`
	Contents   Contents `json:"contents"`
	StatusCode int      `json:"status_code"`
}

// ProgramVersion is what a server's program was built from: a release, or a commit.
type ProgramVersion struct {
	Version string `json:"version"`
}

// Contents is the nested half of a Message.
type Contents struct {
	Message string `json:"message"`
}

// NewMessage makes a Message whose halves agree.
func NewMessage(status int, text string) Message {
	return Message{Message: text, Contents: Contents{text}, StatusCode: status}
}

// ErrorType in a request's Accept asks for every failure's own status and an Error. Who
// does not ask is told of what is wrong with a request as the published contract's clients
// know it: by a 400 whose body is FieldErrors.
const ErrorType = "application/vnd.fandogh+json"

// FieldErrors are the sentences about each input at fault by its name.
type FieldErrors map[string][]string

// Error is the body of a failure: one sentence, and the sentences about
// each input at fault by its name. What concerns no input stands under "detail".
type Error struct {
	Message  string                `json:"message"`
	Errors   []map[string][]string `json:"errors"`
	Contents *Contents             `json:"contents,omitempty"` // where the contract promises a Message
	Code     string                `json:"code"`               // for programs: conflict, not_found, …
}
