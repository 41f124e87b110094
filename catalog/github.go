package catalog

import (
	"context"
	"time"
)

// Connection ties an image to a repository on GitHub: what is pushed there is
// built here.
type Connection struct {
	ID          int64
	NamespaceID int64
	Image       ImageRef
	ImageID     int64
	UserID      int64  // who connected it; its builds are theirs
	Repository  string // "owner/name", found without regard to case
	// RepositoryID is GitHub's number of the repository, which stays when it is renamed; 0: not known yet.
	RepositoryID int64
	Former       string // the repository's name before it was renamed, as far as that was seen
	// Tags, Branches and Paths are patterns with blanks between them. Empty:
	// no tags, no branches, all paths.
	Tags     string
	Branches string
	Paths    string // an image is built only when a matching file differs from its newest version
	Context  string // the build context's directory in the repository
	// Sealed holds the secrets, encrypted by hooks/github, which alone reads them.
	Sealed    []byte
	CreatedAt time.Time
}

// SourceRef is a ref of a connected repository and what was made of it.
type SourceRef struct {
	ConnectionID int64
	Name         string // "refs/tags/v1.0"
	Object       string // hex, as the remote names it; empty when it was deleted there
	Commit       string // hex
	Version      string // the version it is built as; empty when it is not
	Processed    bool   // false while it is being fetched
	Note         string // what came of it, a sentence
	At           time.Time
}

// Connections stores connections to GitHub.
type Connections interface {
	// PutConnection makes or replaces an image's connection; ID and CreatedAt
	// are the store's. Errors: NotFound (image).
	PutConnection(ctx context.Context, c Connection) (Connection, error)
	// ConnectionOf returns an image's connection. Errors: NotFound.
	ConnectionOf(ctx context.Context, imageID int64) (Connection, error)
	// ConnectionByID returns a connection. Errors: NotFound.
	ConnectionByID(ctx context.Context, id int64) (Connection, error)
	// ConnectionsTo returns the connections of a repository, oldest first.
	ConnectionsTo(ctx context.Context, repository string) ([]Connection, error)
	// ConnectionsToID returns the connections of a repository by its number, oldest first; none for 0.
	ConnectionsToID(ctx context.Context, repositoryID int64) ([]Connection, error)
	// NameRepository records the number and the name of a connection's repository. What is known of its refs
	// stays. Errors: NotFound.
	NameRepository(ctx context.Context, id, repositoryID int64, repository string) error
	// ListConnections returns all connections with an ID above after, oldest
	// first, as many as fit a page.
	ListConnections(ctx context.Context, after int64) ([]Connection, error)
	// DeleteConnection removes a connection with what it knows of refs.
	// Errors: NotFound.
	DeleteConnection(ctx context.Context, id int64) error

	// PutSourceRef records what was made of a ref. Errors: NotFound (connection).
	PutSourceRef(ctx context.Context, r SourceRef) error
	// SourceRef returns what is known of a ref. Errors: NotFound.
	SourceRef(ctx context.Context, connectionID int64, name string) (SourceRef, error)
	// ListSourceRefs returns the refs that changed last, newest first.
	ListSourceRefs(ctx context.Context, connectionID int64, limit int) ([]SourceRef, error)
	// FromSource reports whether a commit came by a connection.
	FromSource(ctx context.Context, connectionID int64, commit string) (bool, error)
}

// GitHubSettings is what a user says about a connection. Of a nil pointer the
// connection keeps what it has.
type GitHubSettings struct {
	Repository string  // "owner/name" or its URL
	Secret     *string // signs deliveries; nil at a new connection: one is made
	Token      *string // for private repositories and commit statuses; "": none
	DeployKey  *string // an SSH private key for private repositories; "": none
	Tags       *string // nil at a new connection: "v*"
	Branches   *string
	Paths      *string
	Context    *string
}

// GitHubStatus is a connection as it may be shown.
type GitHubStatus struct {
	Connection             // without Sealed
	WebhookURL string      // what to type on GitHub's side
	Secret     string      // only in the answer that made or set it
	Access     string      // how the source is read: "token", "deploy key", "app" or "public"
	Refs       []SourceRef // newest first
	Deliveries []Job       // newest first
}

// GitHubControl connects images for a user whom the caller has authorized.
// hooks/github implements it.
type GitHubControl interface {
	// Connect makes or changes an image's connection. Errors: Invalid.
	Connect(ctx context.Context, image Image, userID int64, s GitHubSettings) (GitHubStatus, error)
	// Disconnect ends it. Versions stay. Errors: NotFound.
	Disconnect(ctx context.Context, image Image) error
	// Status returns it. Errors: NotFound.
	Status(ctx context.Context, image Image) (GitHubStatus, error)
	// Sync has the remote's tags compared and what is missing built. It
	// returns at once. Errors: NotFound.
	Sync(ctx context.Context, image Image) error
}
