package catalog

import (
	"context"
	"time"
)

// AuditLine is something that was done beside the daemon, which keeps the audit log.
type AuditLine struct {
	ID   int64
	At   time.Time
	By   string            // who did it, as the operating system knows them
	What string            // "user disabled"
	On   map[string]string // what it was done to
}

// AuditLines hands lines of the audit log to the daemon.
type AuditLines interface {
	// AddAuditLine stores a line; its ID and time are the store's.
	AddAuditLine(ctx context.Context, l AuditLine) error
	// AuditLines returns those that are stored, oldest first.
	AuditLines(ctx context.Context) ([]AuditLine, error)
	// DropAuditLines forgets lines up to an ID.
	DropAuditLines(ctx context.Context, id int64) error
}
