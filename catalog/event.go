package catalog

import (
	"context"
	"time"
)

// EventKind is what happened.
type EventKind string

// Events, as webhooks and the event list name them.
const (
	EventVersionCreated EventKind = "version.created"
	EventVersionDeleted EventKind = "version.deleted"
	EventBuildQueued    EventKind = "build.queued"
	EventBuildStarted   EventKind = "build.started" // again after an attempt that was given up
	EventBuildFinished  EventKind = "build.finished"
	EventImageCreated   EventKind = "image.created"
	EventImageDeleted   EventKind = "image.deleted"  // with all its versions
	EventMemberChanged  EventKind = "member.changed" // a user's role in a namespace
	// EventImageTransferred is one of both namespaces: an image came from another, or went to it.
	EventImageTransferred EventKind = "image.transferred"
)

// Event is something that happened, as things stood then. It is written in the
// transaction that made it happen and outlives what it is about.
type Event struct {
	ID          int64 // ascending in the order of the transactions
	At          time.Time
	Kind        EventKind
	NamespaceID int64
	Image       ImageRef // its name is empty for member.changed
	ImageID     int64    // 0 for member.changed
	Version     string   // of version and build events only
	Commit      string
	Digest      string
	State       State
	// Of build events only:
	BuildID int64
	Number  int
	Trigger Trigger
	Outcome Outcome
	Message string
	// Of member.changed only:
	Member string // user name
	Role   Role   // RoleNone: no member any more
	// Of image.transferred only, "namespace/name":
	From string
	To   string
}

// Events reads what happened.
type Events interface {
	// EventsAfter returns up to limit events with an ID above after, oldest
	// first; namespace narrows them unless it is empty. Limit 0 or too large
	// means the store's maximum.
	EventsAfter(ctx context.Context, namespace string, after int64, limit int) ([]Event, error)
	// EventsForMember is EventsAfter for all namespaces a user belongs to now.
	EventsForMember(ctx context.Context, userID, after int64, limit int) ([]Event, error)
	// LatestEventsForMember returns up to limit events of all namespaces a user belongs to now, newest first.
	LatestEventsForMember(ctx context.Context, userID int64, limit int) ([]Event, error)
	// LastEvent returns the newest event's ID, 0 when there never was one.
	LastEvent(ctx context.Context) (int64, error)
	// NewEvents returns a channel that is closed when this process records the
	// next event. Take it before reading, and nothing is missed.
	NewEvents() <-chan struct{}
	// PruneEvents forgets events from before a time.
	PruneEvents(ctx context.Context, before time.Time) error

	// Cursor returns how far a consumer has come, 0 for a new one.
	Cursor(ctx context.Context, consumer string) (int64, error)
	// SetCursor records that a consumer has dealt with all events up to an ID.
	SetCursor(ctx context.Context, consumer string, eventID int64) error
}
