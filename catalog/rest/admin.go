package rest

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func (c *call) listUsers() ([]api.User, error) {
	users, err := catalog.AllUsers(c.r.Context(), c.server.config.Store)
	return convertAll(users, userOf), err
}

// pathUser returns the user that the path names.
func (c *call) pathUser() (catalog.User, error) {
	return c.server.config.Store.User(c.r.Context(), c.r.PathValue("user"))
}

func (c *call) createUser(in api.CreateUser) (api.User, error) {
	user, err := c.server.config.Accounts.CreateUser(c.r.Context(), in.Username, in.Password, in.Admin)
	if err != nil {
		return api.User{}, about("username", err)
	}
	c.audit("user added", "name", user.Name, "admin", user.Admin)
	return userOf(user), nil
}

func (c *call) userDetail() (api.UserDetail, error) {
	user, err := c.pathUser()
	if err != nil {
		return api.UserDetail{}, err
	}
	ctx, store := c.r.Context(), c.server.config.Store
	namespaces, err := catalog.AllNamespaces(ctx, store, user.ID)
	if err != nil {
		return api.UserDetail{}, err
	}
	out := api.UserDetail{User: userOf(user), Namespaces: []api.Namespace{}}
	for _, n := range namespaces {
		role, err := store.Role(ctx, user.ID, n.Name)
		if err != nil && catalog.CodeOf(err) != catalog.NotFound { // else it went meanwhile
			return api.UserDetail{}, err
		}
		out.Namespaces = append(out.Namespaces, api.Namespace{Name: n.Name, Role: role.Name()})
	}
	return out, nil
}

func (c *call) createTokenOf(in api.CreateToken) (api.NewToken, error) {
	if in.Username != "" || in.Password != "" {
		return api.NewToken{}, catalog.FieldErrorf("username", "the path names the user; leave out username and password")
	}
	if err := c.id.CheckLasting("create tokens for others"); err != nil {
		return api.NewToken{}, err
	}
	user, err := c.pathUser()
	if err != nil {
		return api.NewToken{}, err
	}
	n := catalog.NewToken{UserID: user.ID, Name: cmp.Or(in.Name, "created by "+c.id.User.Name), Scope: cmp.Or(catalog.Scope(in.Scope), catalog.ScopeRead), ExpiresAt: in.ExpiresAt.Time}
	if err := n.Check(time.Now()); err != nil {
		return api.NewToken{}, err
	}
	secret, token, err := c.server.config.Accounts.CreateToken(c.r.Context(), n)
	if err != nil {
		return api.NewToken{}, err
	}
	c.audit("token created", "name", user.Name, "token", token.ID, "scope", n.Scope)
	return c.newTokenOf(user, token, secret)
}

func (c *call) createKeyOf(in api.CreateKey) (api.Key, error) {
	if err := c.id.CheckLasting("add keys for others"); err != nil {
		return api.Key{}, err
	}
	user, err := c.pathUser()
	if err != nil {
		return api.Key{}, err
	}
	return c.addKey(user, in, "name", user.Name)
}

func (c *call) updateUser(in api.UpdateUser) (api.User, error) {
	user, err := c.pathUser()
	if err != nil {
		return api.User{}, err
	}
	update := catalog.UserUpdate{Admin: in.Admin, Disabled: in.Disabled}
	if in == (api.UpdateUser{}) {
		return api.User{}, catalog.FieldErrorf("body", "nothing to change; send disabled, admin or password")
	}
	if err := c.id.CheckUpdate(user, update); err != nil {
		return api.User{}, err
	}
	if in.Password != nil {
		if err := c.server.config.Accounts.SetPassword(c.r.Context(), user.ID, *in.Password); err != nil {
			return api.User{}, err
		}
		c.audit("password reset", "name", user.Name)
	}
	after, err := c.server.config.Store.UpdateUser(c.r.Context(), user.ID, update)
	if err != nil {
		return api.User{}, err
	}
	for _, line := range update.AuditLines() {
		c.audit(line, "name", user.Name)
	}
	return userOf(after), nil
}

func (c *call) deleteUser() error {
	images, err := c.boolean("images")
	if err != nil {
		return err
	}
	user, err := c.pathUser()
	if err == nil {
		err = c.id.CheckOther(user, "delete")
	}
	if err == nil {
		err = c.server.config.Store.DeleteUser(c.r.Context(), user.ID, images)
	}
	if err != nil {
		return err
	}
	c.audit("user deleted", "name", user.Name)
	c.server.config.Remover.Remove(context.WithoutCancel(c.r.Context()))
	return c.deleted("User Deleted Successfully")
}

func (c *call) tokensOf() ([]api.Token, error) {
	user, err := c.pathUser()
	if err != nil {
		return nil, err
	}
	tokens, err := c.server.config.Store.ListTokens(c.r.Context(), user.ID)
	return convertAll(tokens, tokenOf), err
}

func (c *call) revokeTokensOf() error {
	user, err := c.pathUser()
	if err == nil {
		err = c.server.config.Store.DeleteTokens(c.r.Context(), user.ID)
	}
	if err != nil {
		return err
	}
	c.audit("tokens revoked", "name", user.Name)
	return c.deleted("Tokens Revoked Successfully")
}

func (c *call) revokeTokenOf() error {
	return c.dropOf(c.server.config.Store.DeleteToken, "token revoked", "token", "Token Revoked Successfully")
}

func (c *call) keysOf() ([]api.Key, error) {
	user, err := c.pathUser()
	if err != nil {
		return nil, err
	}
	keys, err := c.server.config.Store.ListKeys(c.r.Context(), user.ID)
	return convertAll(keys, keyOf), err
}

func (c *call) deleteKeyOf() error {
	return c.dropOf(c.server.config.Store.DeleteKey, "key deleted", "key", "Key Deleted Successfully")
}

// dropOf removes what the path's ID names of the path's user.
func (c *call) dropOf(drop func(ctx context.Context, userID, id int64) error, did, kind, message string) error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	user, err := c.pathUser()
	if err == nil {
		err = drop(c.r.Context(), user.ID, id)
	}
	if err != nil {
		return err
	}
	c.audit(did, "name", user.Name, kind, id)
	return c.deleted(message)
}

func (c *call) allNamespaces() ([]api.NamespaceSummary, error) {
	namespaces, err := catalog.EveryNamespace(c.r.Context(), c.server.config.Store)
	return convertAll(namespaces, func(n catalog.NamespaceSummary) api.NamespaceSummary {
		return api.NamespaceSummary{Name: n.Name, Personal: n.Personal, Images: n.Images, Admins: n.Owners}
	}), err
}

func (c *call) deleteNamespace() error {
	images, err := c.boolean("images")
	if err != nil {
		return err
	}
	name := strings.ToLower(c.r.PathValue("shared"))
	if err := c.server.config.Store.DeleteNamespace(c.r.Context(), name, images); err != nil {
		return err
	}
	c.audit("namespace deleted", "namespace", name)
	c.server.config.Remover.Remove(context.WithoutCancel(c.r.Context()))
	return c.deleted("Namespace Deleted Successfully")
}

func userOf(u catalog.User) api.User {
	return api.User{ID: u.ID, Username: u.Name, Admin: u.Admin, CreatedAt: api.Time{Time: u.CreatedAt}, DisabledAt: api.Time{Time: u.DisabledAt}}
}
