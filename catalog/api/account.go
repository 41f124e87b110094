package api

// CreateToken asks for a token. Users who hold none prove themselves by name and
// password; all else is optional.
type CreateToken struct {
	Username  string `json:"username"`
	Password  string `json:"password"`
	Name      string `json:"name"`       // "login" unless given
	Scope     string `json:"scope"`      // read or write, write unless given
	ExpiresAt Time   `json:"expires_at"` // null: see Token
}

// NewToken is a token's only showing of its secret.
type NewToken struct {
	Token
	Secret     string   `json:"token"`
	Username   string   `json:"username"`
	Email      string   `json:"email"`      // always empty
	Namespaces []string `json:"namespaces"` // that the user belongs to, the own one first
}

// Token is a token as lists show it.
type Token struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	Scope     string `json:"scope"`
	CreatedAt Time   `json:"created_at"`
	ExpiresAt Time   `json:"expires_at"` // null: never
}

// Account is the user who asks.
type Account struct {
	ID        int64  `json:"id"`
	Username  string `json:"username"`
	Namespace string `json:"namespace"` // the user's own
	Admin     bool   `json:"admin"`
	CreatedAt Time   `json:"created_at"`
	// GitURL and "/namespace/image" make the address to push to: "ssh://git@host:2222".
	GitURL string `json:"git_url,omitempty"`
}

// UpdateAccount changes the password. Every other login stays valid.
type UpdateAccount struct {
	CurrentPassword string `json:"current_password"`
	Password        string `json:"password"`
}

// User is an account as administrators see it.
type User struct {
	ID         int64  `json:"id"`
	Username   string `json:"username"`
	Admin      bool   `json:"admin"`
	CreatedAt  Time   `json:"created_at"`
	DisabledAt Time   `json:"disabled_at"` // null: in use
}

// UserDetail is a user with where they belong to.
type UserDetail struct {
	User
	Namespaces []Namespace `json:"namespaces"` // with the user's role, the own one among them
}

// CreateUser adds a user.
type CreateUser struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Admin    bool   `json:"admin"`
}

// UpdateUser is what an administrator changes of a user; null leaves a thing as it is.
type UpdateUser struct {
	Disabled *bool   `json:"disabled,omitempty"` // true ends every way in at once
	Admin    *bool   `json:"admin,omitempty"`
	Password *string `json:"password,omitempty"`
}

// NamespaceSummary is a namespace as administrators see it.
type NamespaceSummary struct {
	Name     string   `json:"name"`
	Personal bool     `json:"personal"` // of the user of its name
	Images   int      `json:"images"`
	Admins   []string `json:"admins"` // user names
}

// CreateKey adds a public key, of SSH or of OpenPGP.
type CreateKey struct {
	Name string `json:"name"` // the key's comment or user ID unless given
	Key  string `json:"key"`  // one line as in an .pub file, or what gpg --armor --export prints
}

// Key is a public key.
type Key struct {
	ID          int64  `json:"id"`
	Kind        string `json:"kind"` // ssh, to log in and to sign tags; or openpgp, to sign tags
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"` // "SHA256:…", or hex of OpenPGP
	Key         string `json:"key"`
	CreatedAt   Time   `json:"created_at"`
}

// Namespace owns images.
type Namespace struct {
	Name string `json:"name"`
	Role string `json:"role"` // the asking user's: admin, write or read
}

// CreateNamespace asks for a namespace owned by the asking user.
type CreateNamespace struct {
	Name string `json:"name"`
}

// Member is a user's role in a namespace.
type Member struct {
	Username string `json:"username"`
	Role     string `json:"role"`
}

// SetMember gives a user a role.
type SetMember struct {
	Role string `json:"role"` // admin, write or read
}
