package catalog

import (
	"context"
	"slices"
	"strings"
	"time"
)

// AuditLine is a line of the audit log: something that somebody changed.
type AuditLine struct {
	ID   int64
	At   time.Time
	Via  string            // one of AuditInterfaces
	By   string            // the user; of "admin", as the operating system knows them
	From string            // the client's address; "local" of "admin"
	What string            // "user disabled"
	On   map[string]string // what it was done to
}

// AuditInterfaces are those through which something is done; "admin" are the verbs of `fandoghd admin`.
var AuditInterfaces = []string{"web", "rest", "ssh", "registry", "lfs", "admin"}

// LoginFailed begins the lines of the audit log's text that strangers cause, by any interface: there are so many of a network, and no more.
const LoginFailed = "login failed"

// AuditLines hands lines of what is done beside the daemon, which keeps the audit log, to the daemon. They have no Via and From.
type AuditLines interface {
	// AddAuditLine stores a line; its ID and time are the store's.
	AddAuditLine(ctx context.Context, l AuditLine) error
	// AuditLines returns those that are stored, oldest first.
	AuditLines(ctx context.Context) ([]AuditLine, error)
	// DropAuditLines forgets lines up to an ID.
	DropAuditLines(ctx context.Context, id int64) error
}

// AuditFilter narrows a list of the audit log; what is zero does not.
type AuditFilter struct {
	By    string // in any case of letters
	Via   string
	Image string // "namespace/name", that On has as "image"
	Since time.Time
	Until time.Time
	Page  Page
}

// Validate refuses what no line can have, which is not the same as that nothing was done. Errors: Invalid.
func (f AuditFilter) Validate() error {
	if f.Via != "" && !slices.Contains(AuditInterfaces, f.Via) {
		return FieldErrorf("via", "%q is no interface; the interfaces are: %s", f.Via, strings.Join(AuditInterfaces, ", "))
	}
	if f.Image != "" && !strings.Contains(f.Image, "/") {
		return FieldErrorf("image", "%q is not namespace/name", f.Image)
	}
	return nil
}

// AuditLog keeps the audit log.
type AuditLog interface {
	// KeepAudit stores lines; their IDs are the store's, their times are not.
	KeepAudit(ctx context.Context, lines []AuditLine) error
	// ListAudit returns lines, newest first. Errors: Invalid.
	ListAudit(ctx context.Context, f AuditFilter) ([]AuditLine, error)
	// PruneAudit forgets lines from before a time.
	PruneAudit(ctx context.Context, before time.Time) error
}
