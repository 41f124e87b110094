package catalog

import (
	"cmp"
	"context"
	"time"
)

const (
	// LoginTokenLife is how long a token lasts that was made with a password and without an expiry of its own.
	LoginTokenLife = 90 * 24 * time.Hour
	loginTokenName = "login"
)

// CheckWriteScope refuses who may only read. Errors: Forbidden.
func (id Identity) CheckWriteScope() error {
	if id.Scope != ScopeWrite {
		return Errorf(Forbidden, "this token has only the read scope; use one with the write scope")
	}
	return nil
}

// CheckLasting refuses what would outlive a token that ends with the one that made it; what says what that is. Errors: Forbidden.
func (id Identity) CheckLasting(what string) error {
	if id.Token.ParentID != 0 {
		return Errorf(Forbidden, "a token that was created by another token can't %s; log in with your password and do it then", what)
	}
	return nil
}

// CheckOther refuses what would shut an administrator out by a slip. Errors: Conflict.
func (id Identity) CheckOther(user User, what string) error {
	if user.ID == id.User.ID {
		return Errorf(Conflict, "you can't %s yourself; ask another administrator", what)
	}
	return nil
}

// CheckUpdate refuses a change of a user that would shut its author out. Errors: Conflict.
func (id Identity) CheckUpdate(user User, u UserUpdate) error {
	if u.Disabled != nil && *u.Disabled {
		return id.CheckOther(user, "disable")
	}
	if u.Admin != nil && !*u.Admin {
		return id.CheckOther(user, "demote")
	}
	return nil
}

// AuditLines are what the audit log says of a change of a user.
func (u UserUpdate) AuditLines() (lines []string) {
	for _, change := range []struct {
		asked   *bool
		yes, no string
	}{
		{u.Disabled, "user disabled", "user enabled"},
		{u.Admin, "user made an administrator", "user is no longer an administrator"},
	} {
		switch {
		case change.asked == nil:
		case *change.asked:
			lines = append(lines, change.yes)
		default:
			lines = append(lines, change.no)
		}
	}
	return lines
}

// NewToken is the token that who is logged in may have for themselves. One that was asked for with a token ends with that; one that
// was asked for with a password lasts LoginTokenLife unless an expiry is given. An empty scope is the own one. Errors: Invalid, Forbidden.
func (id Identity) NewToken(name string, scope Scope, expires, now time.Time) (NewToken, error) {
	parent := id.Token // also where it stood in the password's place
	switch ends := parent.ExpiresAt; {
	case parent.ID == 0 && expires.IsZero():
		expires = now.Add(LoginTokenLife)
	case parent.ID != 0:
		if err := id.CheckWriteScope(); err != nil {
			return NewToken{}, err
		}
		if !ends.IsZero() && (expires.IsZero() || expires.After(ends)) {
			expires = ends
		}
	}
	n := NewToken{UserID: id.User.ID, Name: cmp.Or(name, loginTokenName), Scope: cmp.Or(scope, id.Scope), ExpiresAt: expires, ParentID: parent.ID}
	err := n.Check(now)
	if err == nil && n.Scope == ScopeWrite {
		err = id.CheckWriteScope()
	}
	return n, err
}

// Check refuses a token that can't be. Errors: Invalid.
func (n NewToken) Check(now time.Time) error {
	switch {
	case n.Scope != ScopeRead && n.Scope != ScopeWrite:
		return FieldErrorf("scope", "scope must be read or write")
	case !n.ExpiresAt.IsZero() && n.ExpiresAt.Before(now):
		return FieldErrorf("expires_at", "expires_at must be in the future")
	}
	return nil
}

// CheckPassword takes a user's password, and no token in its place, so that a token that leaked can't take the account over. from is as
// in Authenticator. Errors: Invalid, RateLimited.
func CheckPassword(ctx context.Context, auth Authenticator, from string, user User, password string) error {
	if password == "" {
		return FieldErrorf("current_password", "the current password is missing")
	}
	if _, err := auth.ByToken(ctx, password); err == nil {
		return FieldErrorf("current_password", "current_password must be the password itself, not a token")
	}
	_, err := auth.ByPassword(ctx, from, user.Name, password)
	if CodeOf(err) == Unauthorized {
		return FieldErrorf("current_password", "the current password is wrong")
	}
	return err
}
