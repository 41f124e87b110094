package catalog

import (
	"context"
	"time"
)

// User is an account. A namespace of the same name is created with it.
type User struct {
	ID        int64
	Name      string
	Admin     bool // of the whole installation
	CreatedAt time.Time
	// DisabledAt is when an administrator took the account out of use; zero: it is in use.
	DisabledAt time.Time
}

// Disabled reports whether nothing proves to be this user any more.
func (u User) Disabled() bool { return !u.DisabledAt.IsZero() }

// UserUpdate is what UpdateUser changes; nil leaves a thing as it is.
type UserUpdate struct {
	Admin    *bool
	Disabled *bool
}

// NewUser is what CreateUser stores.
type NewUser struct {
	Name         string
	Admin        bool
	PasswordHash string // encoded argon2id; empty: no password login
}

// KeyKind is what a key is for.
type KeyKind string

// Kinds of keys.
const (
	KeySSH     KeyKind = "ssh"     // to log in, and to sign
	KeyOpenPGP KeyKind = "openpgp" // to sign tags
)

// Key is a public key; it belongs to one user of the installation.
type Key struct {
	ID          int64
	UserID      int64
	Kind        KeyKind
	Name        string // the comment or user ID, or what the user called it
	Fingerprint string // "SHA256:…" as ssh-keygen -l prints it; of OpenPGP the primary key's, hex in capitals
	PublicKey   string // authorized_keys form, without comment; of OpenPGP armored
	CreatedAt   time.Time
}

// NewKey is what CreateKey stores.
type NewKey struct {
	UserID      int64
	Kind        KeyKind // empty: KeySSH
	Name        string
	Fingerprint string
	PublicKey   string
	KeyIDs      []string // of OpenPGP, 16 hex digits each: by what its signatures name it and its subkeys
}

// SigningKey is a key with the user whose it is.
type SigningKey struct {
	Key
	User string
}

// Scope limits what a token may do for its user.
type Scope string

// Scopes of a token.
const (
	ScopeRead  Scope = "read"
	ScopeWrite Scope = "write"
)

// Token is a secret that stands for its user. The secret itself is shown once
// and only its SHA-256 is kept.
type Token struct {
	ID        int64
	UserID    int64
	Name      string
	Scope     Scope
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	ParentID  int64     // of the token that asked for it, which it ends with; 0: a password or an operator did
}

// NewToken is what CreateToken stores.
type NewToken struct {
	UserID    int64
	Name      string
	Hash      []byte // SHA-256 of the secret, 32 bytes
	Scope     Scope
	ExpiresAt time.Time
	ParentID  int64 // as in Token
}

// Users stores accounts and what proves them.
type Users interface {
	// CreateUser also creates the user's namespace and makes the user its
	// owner. Errors: Invalid (name), Conflict (user or namespace exists), Unavailable (a
	// Removal of the name).
	CreateUser(ctx context.Context, u NewUser) (User, error)
	// User returns a user by name. Errors: NotFound.
	User(ctx context.Context, name string) (User, error)
	// UserByID returns a user by ID. Errors: NotFound.
	UserByID(ctx context.Context, id int64) (User, error)
	// ListUsers returns users by name.
	ListUsers(ctx context.Context, page NamePage) ([]User, error)
	// UpdateUser changes a user. The builds of one who is disabled do not begin any more.
	// Errors: NotFound, Conflict (no administrator would be left who is not disabled).
	UpdateUser(ctx context.Context, id int64, u UserUpdate) (User, error)
	// DeleteUser removes a user with keys, tokens, memberships, connections of images and the own
	// namespace, with its images when that is asked for. What else the user made stays without a user, and
	// builds that wait do not begin any more. Errors: NotFound, Conflict (the own namespace holds images,
	// or one that is being built; the last administrator; the only owner of another namespace).
	DeleteUser(ctx context.Context, id int64, withImages bool) error
	// PasswordHash returns the stored hash with its user. Errors: NotFound, also
	// for a disabled user.
	PasswordHash(ctx context.Context, name string) (User, string, error)
	// SetPasswordHash replaces the stored hash. Errors: NotFound.
	SetPasswordHash(ctx context.Context, userID int64, hash string) error

	// CreateKey stores a public key. Errors: NotFound (user), Conflict (the key
	// belongs to a user already), Forbidden (too many).
	CreateKey(ctx context.Context, k NewKey) (Key, error)
	// UserByKey returns the user an SSH key's fingerprint belongs to. Errors: NotFound, also
	// for a disabled user.
	UserByKey(ctx context.Context, fingerprint string) (User, error)
	// ListKeys returns a user's keys, newest first.
	ListKeys(ctx context.Context, userID int64) ([]Key, error)
	// SigningKeys returns the keys of members who may write to a namespace and are not disabled: the SSH key of a fingerprint, or
	// the few OpenPGP keys with a part of an ID.
	SigningKeys(ctx context.Context, namespace string, kind KeyKind, id string) ([]SigningKey, error)
	// DeleteKey removes a user's key. Errors: NotFound.
	DeleteKey(ctx context.Context, userID, keyID int64) error

	// CreateToken stores a token's hash, and forgets the user's tokens that have
	// expired. Errors: NotFound (user), Conflict, Forbidden (too many).
	CreateToken(ctx context.Context, t NewToken) (Token, error)
	// TokenByHash returns an unexpired token and its user. Errors: NotFound, also
	// for a disabled user.
	TokenByHash(ctx context.Context, hash []byte, now time.Time) (Token, User, error)
	// ListTokens returns a user's tokens, newest first.
	ListTokens(ctx context.Context, userID int64) ([]Token, error)
	// DeleteToken revokes a user's token. Errors: NotFound.
	DeleteToken(ctx context.Context, userID, tokenID int64) error
	// DeleteTokens revokes all tokens of a user.
	DeleteTokens(ctx context.Context, userID int64) error
}

// Authenticator proves who asks. It is safe for concurrent use.
type Authenticator interface {
	// ByPassword accepts a user's password, or one of the user's tokens in its
	// place. from is the client's host:port, to limit guessing by, or empty. An
	// error that is RateLimited has a RetryAfter. Errors: Unauthorized, RateLimited.
	ByPassword(ctx context.Context, from, name, secret string) (Identity, error)
	// ByToken accepts a token. Errors: Unauthorized.
	ByToken(ctx context.Context, secret string) (Identity, error)
}
