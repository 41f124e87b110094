package catalog

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// QueueState is how full the queue is.
type QueueState struct {
	Waiting, Running int
	Oldest           time.Time // when the build was asked for that waits longest; zero when none waits
}

// QueuePause is why no build starts: an administrator paused the queue. The zero value is a queue that is not paused.
type QueuePause struct {
	By     string // the user, or of the admin verbs who the operating system knows
	Since  time.Time
	Reason string // may be empty
}

// Paused reports whether the queue is.
func (p QueuePause) Paused() bool { return !p.Since.IsZero() }

// String is a sentence without its stop.
func (p QueuePause) String() string {
	if !p.Paused() {
		return "the queue is not paused"
	}
	text := "the queue is paused by " + p.By + " since " + p.Since.UTC().Format("2006-01-02 15:04 UTC")
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return text
}

// MaxPauseReason bounds QueuePause.Reason, in bytes.
const MaxPauseReason = 500

// ValidatePauseReason reports whether a text may be why the queue is paused: one line. Errors: Invalid.
func ValidatePauseReason(reason string) error {
	if len(reason) > MaxPauseReason || !utf8.ValidString(reason) || strings.ContainsFunc(reason, unicode.IsControl) {
		return FieldErrorf("reason", "the reason must be one line of at most %d bytes", MaxPauseReason)
	}
	return nil
}

// QueueEntry is a build that runs or waits.
type QueueEntry struct {
	Build
	User      string    // who asked for it; empty when that user is gone
	Place     int       // among those that wait, as in QueuePlace; 0: it runs
	NotBefore time.Time // when a build that waits is to be tried again; zero: at once
}

// QueuePlace is where a build stands among those that wait.
type QueuePlace struct {
	Place       int // 1 is the next; it changes with what is asked for and with what ends
	Waiting     int // builds in all, this one too
	Running     int
	OfNamespace int // of Running, those of its namespace
	// MostOfNamespace is how many of its namespace may run at once; 0: as many as the server runs.
	MostOfNamespace int
	NotBefore       time.Time // when it is to be tried again; zero, or past: at once
	Pause           QueuePause
	Why             string // why it waits, a sentence safe to show; of BuildControl alone
}

// NamespaceIsFull reports whether as many of the build's namespace run as may.
func (p QueuePlace) NamespaceIsFull() bool {
	return p.MostOfNamespace > 0 && p.OfNamespace >= p.MostOfNamespace
}
