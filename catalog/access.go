package catalog

import "context"

// Role is what a user may do in a namespace; a greater role includes the lesser.
type Role int

// Roles, least first.
const (
	RoleNone Role = iota
	RoleRead
	RoleWrite
	RoleAdmin
)

// Roles lists those that a member may have, least first.
func Roles() []Role { return []Role{RoleRead, RoleWrite, RoleAdmin} }

// Name is what users call a role: read, write or admin; empty for RoleNone.
func (r Role) Name() string {
	switch r {
	case RoleRead:
		return "read"
	case RoleWrite:
		return "write"
	case RoleAdmin:
		return "admin"
	case RoleNone:
	}
	return ""
}

// ParseRole reads a role's name; an admin of a namespace is called owner, too. Errors: Invalid.
func ParseRole(name string) (Role, error) {
	if name == "owner" {
		return RoleAdmin, nil
	}
	for _, role := range Roles() {
		if name == role.Name() {
			return role, nil
		}
	}
	return RoleNone, FieldErrorf("role", "role must be read, write or admin")
}

// Namespace owns images.
type Namespace struct {
	ID   int64
	Name string
}

// NamespaceSummary is a namespace with what an administrator wants to know of it.
type NamespaceSummary struct {
	Namespace
	Personal bool // of the user of its name
	Images   int
	Owners   []string // their names
}

// Member is a user's role in a namespace.
type Member struct {
	User User
	Role Role
}

// Namespaces stores namespaces and who belongs to them.
type Namespaces interface {
	// CreateNamespace makes a namespace owned by a user. Errors: Invalid,
	// NotFound (user), Conflict, Forbidden (too many), Unavailable (a Removal).
	CreateNamespace(ctx context.Context, name string, ownerID int64) (Namespace, error)
	// ListNamespaces returns the namespaces a user belongs to, newest first.
	ListNamespaces(ctx context.Context, userID int64, page Page) ([]Namespace, error)
	// Namespace returns a namespace by its name, in any case. Errors: NotFound.
	Namespace(ctx context.Context, name string) (Namespace, error)
	// ListAllNamespaces returns the namespaces of the installation by name.
	ListAllNamespaces(ctx context.Context, page NamePage) ([]NamespaceSummary, error)
	// DeleteNamespace removes a namespace and what is told of it, and leaves a Removal, with its images when that is asked for.
	// Errors: NotFound, Conflict (it holds images, or one that is being built; it is a user's own), Unavailable (a Move from or to it).
	DeleteNamespace(ctx context.Context, name string, withImages bool) error
	// Role returns a user's role, RoleNone for a stranger. Errors: NotFound (no such namespace).
	Role(ctx context.Context, userID int64, namespace string) (Role, error)
	// SetMember gives a user a role, RoleNone removes the member.
	// Errors: Invalid (role), NotFound, Conflict (the last owner can't go).
	SetMember(ctx context.Context, namespace string, userID int64, role Role) error
	// Members returns a namespace's members; those whose accounts are newest first, which have the greater user ID. Errors: NotFound.
	Members(ctx context.Context, namespace string, page Page) ([]Member, error)
}

// BuildGrant limits a build's own credential: push one version, read its namespace.
type BuildGrant struct {
	BuildID int64
	Image   ImageRef
	Version string
}

// Identity is who asks, as an Authenticator or an SSH key proved it.
type Identity struct {
	User  User
	Scope Scope
	Token Token       // that was shown, if any
	Build *BuildGrant // set for the credential of a running build; User is then zero
}

// Action is something an interface of Fandogh asks to do in a namespace.
type Action string

// Actions. Those on an image also cover its versions, builds and logs.
const (
	ActionRead       Action = "read"        // list, inspect, logs, fetch, pull
	ActionWrite      Action = "write"       // create image, push, upload, rebuild, cancel
	ActionManage     Action = "own"         // delete images and versions, members
	ActionOperate    Action = "admin"       // the installation; takes no namespace
	ActionPushResult Action = "push_result" // a build stores the image it made
)

// Target is what an Action is about. Image and Version may be empty.
type Target struct {
	Namespace string
	Image     string
	Version   string
}

// Decide is the one rule of who may do what. role is the identity's role in
// the target's namespace.
func Decide(id Identity, role Role, action Action, target Target) bool {
	if id.Build != nil {
		same := id.Build.Image.Namespace == target.Namespace
		if action == ActionPushResult {
			return same && ImageRef{target.Namespace, target.Image}.Repository() == id.Build.Image.Repository() &&
				(target.Version == "" || target.Version == id.Build.Version)
		}
		return same && action == ActionRead
	}
	if id.User.ID == 0 || id.User.Disabled() {
		return false
	}
	if action != ActionRead && id.Scope != ScopeWrite {
		return false
	}
	if id.User.Admin {
		return action != ActionPushResult
	}
	switch action {
	case ActionRead:
		return role >= RoleRead
	case ActionWrite:
		return role >= RoleWrite
	case ActionManage:
		return role >= RoleAdmin
	}
	return false
}

// Authorize asks Decide with the role the store holds. A namespace the identity
// can't read does not exist for it. Errors: Forbidden, NotFound.
func Authorize(ctx context.Context, roles Namespaces, id Identity, action Action, target Target) error {
	role := RoleNone
	if target.Namespace != "" {
		var err error
		role, err = roles.Role(ctx, id.User.ID, target.Namespace)
		if err != nil && CodeOf(err) != NotFound {
			return err
		}
		// One sentence for both, or strangers could find out which namespaces exist.
		if err != nil || !Decide(id, role, ActionRead, target) {
			return Errorf(NotFound, "namespace %q does not exist, or you have no access to it", target.Namespace)
		}
	}
	if Decide(id, role, action, target) {
		return nil
	}
	if id.Build == nil && id.Scope == ScopeRead && action != ActionRead {
		return Errorf(Forbidden, "this token has only the read scope; use one with the write scope")
	}
	switch {
	case id.Build != nil:
		return Errorf(Forbidden, "a build's credential can only read its namespace and push its own version")
	case target.Namespace == "":
		return Errorf(Forbidden, "only an administrator of this installation can do this")
	case action == ActionManage:
		return Errorf(Forbidden, "%s is not an admin of namespace %q; ask one of its admins", id.User.Name, target.Namespace)
	}
	return Errorf(Forbidden, "%s has no permission to %s in namespace %q; ask one of its admins", id.User.Name, action, target.Namespace)
}
