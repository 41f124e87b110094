package protocol

import (
	"errors"
	"io"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/fandoghpaas/fandogh/catalog"
)

// reportPrefixes are put before the message in git's report lines, by an error's code.
var reportPrefixes = map[catalog.Code]string{
	catalog.Unauthorized: "not allowed: ",
	catalog.Forbidden:    "not allowed: ",
	catalog.TooLarge:     "too large: ",
	catalog.RateLimited:  "try later: ",
	catalog.Unavailable:  "try later: ",
}

// reportLine is an error in words for a user. Of our own faults it names the one
// that is no secret and passes.
func reportLine(err error) string {
	if catalog.IsDiskFull(err) {
		err = catalog.Wrap(catalog.Unavailable, err, "the server's disk is full and nothing was changed; push again later, or tell the server's administrator")
	}
	return reportPrefixes[catalog.CodeOf(err)] + catalog.MessageOf(err)
}

// shownError was shown to the client already.
type shownError struct{ error }

// Unwrap returns what was shown.
func (e *shownError) Unwrap() error { return e.error }

// ShowError shows a client an error that ended what it asked for, unless it was shown it on the way. Git shows this as
// "remote error", whatever it was waiting for.
func ShowError(w io.Writer, err error) {
	if !errors.As(err, new(*shownError)) {
		_ = pktline.NewEncoder(w).Encodef("ERR %s\n", reportLine(err)) // a client that is gone is shown nothing
	}
}
