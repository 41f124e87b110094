package catalog

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	target := Target{Namespace: "team", Image: "app", Version: "v1"}
	user := func(scope Scope, admin bool) Identity {
		return Identity{User: User{ID: 1, Name: "ann", Admin: admin}, Scope: scope}
	}
	disabled := func(admin bool) Identity {
		id := user(ScopeWrite, admin)
		id.User.DisabledAt = time.Unix(1, 0)
		return id
	}
	actions := []Action{ActionRead, ActionWrite, ActionManage, ActionOperate, ActionPushResult, "unknown"}
	for _, c := range []struct {
		what    string
		id      Identity
		role    Role
		allowed string // of actions, in their order: y or n
	}{
		{"stranger", user(ScopeWrite, false), RoleNone, "nnnnnn"},
		{"reader", user(ScopeWrite, false), RoleRead, "ynnnnn"},
		{"writer", user(ScopeWrite, false), RoleWrite, "yynnnn"},
		{"owner", user(ScopeWrite, false), RoleAdmin, "yyynnn"},
		{"admin", user(ScopeWrite, true), RoleNone, "yyyyny"},
		{"reading token of a stranger", user(ScopeRead, false), RoleNone, "nnnnnn"},
		{"reading token of a reader", user(ScopeRead, false), RoleRead, "ynnnnn"},
		{"reading token of an owner", user(ScopeRead, false), RoleAdmin, "ynnnnn"},
		{"reading token of an admin", user(ScopeRead, true), RoleAdmin, "ynnnnn"},
		{"token without a scope", user("", false), RoleAdmin, "ynnnnn"},
		{"disabled owner", disabled(false), RoleAdmin, "nnnnnn"},
		{"disabled admin", disabled(true), RoleAdmin, "nnnnnn"},
		{"anonymous", Identity{}, RoleNone, "nnnnnn"},
		{"anonymous with a role", Identity{Scope: ScopeWrite}, RoleAdmin, "nnnnnn"},
		{"anonymous administrator", Identity{User: User{Admin: true}, Scope: ScopeWrite}, RoleAdmin, "nnnnnn"},
	} {
		for i, action := range actions {
			if got, want := Decide(c.id, c.role, action, target), c.allowed[i] == 'y'; got != want {
				t.Errorf("%s, %s: got %v, want %v", c.what, action, got, want)
			}
		}
	}
}

func TestDecideForBuilds(t *testing.T) {
	id := Identity{Build: &BuildGrant{BuildID: 1, Image: ImageRef{"team", "App"}, Version: "v1"}}
	for _, c := range []struct {
		action  Action
		target  Target
		allowed bool
	}{
		{ActionRead, Target{"team", "app", "v1"}, true},
		{ActionRead, Target{"team", "other", "v9"}, true},
		{ActionRead, Target{"else", "app", "v1"}, false},
		{ActionPushResult, Target{"team", "App", "v1"}, true},
		{ActionPushResult, Target{"team", "app", "v1"}, true},
		{ActionPushResult, Target{"team", "app", ""}, true},
		{ActionPushResult, Target{"team", "app", "v2"}, false},
		{ActionPushResult, Target{"team", "app", "V1"}, false},
		{ActionPushResult, Target{"team", "other", "v1"}, false},
		{ActionPushResult, Target{"team", "", "v1"}, false},
		{ActionPushResult, Target{"else", "app", "v1"}, false},
		{ActionWrite, Target{"team", "app", "v1"}, false},
		{ActionManage, Target{"team", "app", "v1"}, false},
		{ActionOperate, Target{}, false},
	} {
		for _, role := range []Role{RoleNone, RoleAdmin} {
			if got := Decide(id, role, c.action, c.target); got != c.allowed {
				t.Errorf("%s on %+v: got %v, want %v", c.action, c.target, got, c.allowed)
			}
		}
	}
}

// oneNamespace is a Namespaces with the role of user 1 in "team".
type oneNamespace struct {
	Namespaces
	role Role
	err  error
}

func (n oneNamespace) Role(_ context.Context, userID int64, namespace string) (Role, error) {
	switch {
	case n.err != nil:
		return RoleNone, n.err
	case namespace != "team":
		return RoleNone, Errorf(NotFound, "the store's own sentence")
	case userID != 1:
		return RoleNone, nil
	}
	return n.role, nil
}

func TestAuthorize(t *testing.T) {
	ann := Identity{User: User{ID: 1, Name: "ann"}, Scope: ScopeWrite}
	reading := Identity{User: ann.User, Scope: ScopeRead}
	stranger := Identity{User: User{ID: 2, Name: "eve"}, Scope: ScopeWrite}
	admin := Identity{User: User{ID: 3, Name: "root", Admin: true}, Scope: ScopeWrite}
	grant := Identity{Build: &BuildGrant{Image: ImageRef{"team", "app"}, Version: "v1"}}
	team, elsewhere := Target{Namespace: "team", Image: "app"}, Target{Namespace: "elsewhere"}
	for _, c := range []struct {
		what   string
		id     Identity
		role   Role
		action Action
		target Target
		code   Code
		says   string
	}{
		{"reader reads", ann, RoleRead, ActionRead, team, "", ""},
		{"reader writes", ann, RoleRead, ActionWrite, team, Forbidden, "ann has no permission to write"},
		{"writer writes", ann, RoleWrite, ActionWrite, team, "", ""},
		{"writer deletes", ann, RoleWrite, ActionManage, team, Forbidden, "ask one of its admins"},
		{"owner with a reading token", reading, RoleAdmin, ActionWrite, team, Forbidden, "only the read scope"},
		{"stranger reads", stranger, RoleNone, ActionRead, team, NotFound, "does not exist, or you have no access"},
		{"stranger writes", stranger, RoleNone, ActionWrite, team, NotFound, "does not exist, or you have no access"},
		{"anonymous reads", Identity{}, RoleNone, ActionRead, team, NotFound, "does not exist, or you have no access"},
		{"missing namespace", ann, RoleAdmin, ActionRead, elsewhere, NotFound, "does not exist, or you have no access"},
		{"admin anywhere", admin, RoleNone, ActionManage, team, "", ""},
		{"admin, missing namespace", admin, RoleNone, ActionWrite, elsewhere, NotFound, "does not exist"},
		{"admin, the installation", admin, RoleNone, ActionOperate, Target{}, "", ""},
		{"owner, the installation", ann, RoleAdmin, ActionOperate, Target{}, Forbidden, "administrator"},
		{"build stores its image", grant, RoleNone, ActionPushResult, Target{"team", "app", "v1"}, "", ""},
		{"build stores another", grant, RoleNone, ActionPushResult, Target{"team", "app", "v2"}, Forbidden, "its own version"},
		{"build reads elsewhere", grant, RoleNone, ActionRead, elsewhere, NotFound, "does not exist"},
	} {
		err := Authorize(t.Context(), oneNamespace{role: c.role}, c.id, c.action, c.target)
		wantCode(t, c.what, err, c.code)
		if err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q does not say %q", c.what, err, c.says)
		}
	}
	broken := errors.New("disk")
	if err := Authorize(t.Context(), oneNamespace{err: broken}, admin, ActionRead, team); !errors.Is(err, broken) {
		t.Errorf("a broken store: got %v", err)
	}
}
