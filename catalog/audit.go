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
	From string            // the client's address; "local" of ViaAdmin
	What string            // "user disabled"
	On   map[string]string // what it was done to
}

// ViaAdmin is the interface of the admin verbs.
const ViaAdmin = "admin"

// AuditInterfaces are those through which something is done; ViaAdmin are the verbs of `fandoghd admin`.
var AuditInterfaces = []string{"web", "rest", "ssh", "registry", "lfs", ViaAdmin}

// LoginFailed begins the lines of the audit log's text that strangers cause, by any interface: there are so many of a network, and no more.
const LoginFailed = "login failed"

// AuditLines hands lines of what is done beside the daemon, which keeps the audit log, to the daemon.
type AuditLines interface {
	// AddAuditLine has a line wait for KeepAudit; its ID and time are the store's, and its Via and From of an admin verb.
	AddAuditLine(ctx context.Context, l AuditLine) error
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
	// KeepAudit stores lines, and with them those that wait, which it returns: all in the order of their times. The IDs are the store's.
	// lines is asked last when nobody can have a line wait: so whatever comes later has a later time, too.
	KeepAudit(ctx context.Context, lines func() []AuditLine) (waited []AuditLine, err error)
	// ListAudit returns lines by ID, newest first: of what was done one after the other, the later first. Errors: Invalid.
	ListAudit(ctx context.Context, f AuditFilter) ([]AuditLine, error)
	// PruneAudit forgets lines from before a time.
	PruneAudit(ctx context.Context, before time.Time) error
}
