package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/fandoghpaas/fandogh/catalog"
)

// usersData is what the page of all users shows.
type usersData struct {
	Tabs  []tab
	Users []catalog.User
	Pager pager
}

func (c *call) usersPage() error {
	users, err := c.server.config.Store.ListUsers(c.r.Context(), c.namePage())
	if err != nil {
		return err
	}
	data := usersData{Tabs: adminTabs("admin.users")}
	data.Users, data.Pager = cutNames(c, users, func(u catalog.User) string { return u.Name })
	return c.show(http.StatusOK, "users", "admin.users", data)
}

func (c *call) addUser() error {
	user, err := c.server.config.Accounts.CreateUser(c.r.Context(), c.field("username"), c.form.Get("password"), c.form.Get("admin") != "")
	if err != nil {
		return err
	}
	c.audit("user added", "name", user.Name, "admin", user.Admin)
	return c.done(adminUser(user.Name), "user_added")
}

// adminUser is the path of the page about a user.
func adminUser(name string) string { return "/admin/users/" + url.PathEscape(name) }

// userData is what the page about a user shows.
type userData struct {
	Tabs       []tab
	User       catalog.User
	Own        bool // it is who looks
	Namespaces []membership
	More       bool // namespaces that are not shown
	Keys       []catalog.Key
	Tokens     []catalog.Token
}

// membership is a namespace with a user's role in it.
type membership struct {
	Name string
	Role catalog.Role
}

// pathUser returns the user that the path names. Errors: NotFound.
func (c *call) pathUser() (catalog.User, error) {
	return c.server.config.Store.User(c.r.Context(), c.r.PathValue("user"))
}

func (c *call) userPage() error {
	ctx, store := c.r.Context(), c.server.config.Store
	user, err := c.pathUser()
	if err != nil {
		return err
	}
	data := userData{Tabs: adminTabs("admin.users"), User: user, Own: user.ID == c.id.User.ID}
	namespaces, err := store.ListNamespaces(ctx, user.ID, catalog.Page{Limit: listed + 1})
	if err != nil {
		return err
	}
	data.More = len(namespaces) > listed
	for _, n := range namespaces[:min(len(namespaces), listed)] {
		role, err := store.Role(ctx, user.ID, n.Name)
		if err != nil && catalog.CodeOf(err) != catalog.NotFound { // else it went meanwhile
			return err
		}
		data.Namespaces = append(data.Namespaces, membership{n.Name, role})
	}
	if data.Keys, err = store.ListKeys(ctx, user.ID); err != nil {
		return err
	}
	if data.Tokens, err = store.ListTokens(ctx, user.ID); err != nil {
		return err
	}
	return c.show(http.StatusOK, "user", "admin.users", data)
}

// changeUser disables or enables a user, or makes one an administrator or none.
func (c *call) changeUser() error {
	user, err := c.pathUser()
	if err != nil {
		return err
	}
	var update catalog.UserUpdate
	yes, no := true, false
	switch c.form.Get("change") {
	case "disable":
		update.Disabled = &yes
	case "enable":
		update.Disabled = &no
	case "promote":
		update.Admin = &yes
	case "demote":
		update.Admin = &no
	default:
		return catalog.FieldErrorf("change", "the changes are disable, enable, promote and demote")
	}
	if err := c.id.CheckUpdate(user, update); err != nil {
		return err
	}
	if _, err := c.server.config.Store.UpdateUser(c.r.Context(), user.ID, update); err != nil {
		return err
	}
	for _, line := range update.AuditLines() {
		c.audit(line, "name", user.Name)
	}
	return c.done(adminUser(user.Name), "saved")
}

func (c *call) resetPassword() error {
	user, err := c.pathUser()
	if err != nil {
		return err
	}
	if err := c.server.config.Accounts.SetPassword(c.r.Context(), user.ID, c.form.Get("password")); err != nil {
		return err
	}
	c.audit("password reset", "name", user.Name)
	return c.done(adminUser(user.Name), "reset")
}

// revokeTokens ends all sessions and tokens of a user.
func (c *call) revokeTokens() error {
	user, err := c.pathUser()
	if err != nil {
		return err
	}
	if err := c.server.config.Store.DeleteTokens(c.r.Context(), user.ID); err != nil {
		return err
	}
	c.audit("tokens revoked", "name", user.Name)
	return c.done(adminUser(user.Name), "revoked")
}

func (c *call) deleteUser() error {
	ctx := c.r.Context()
	user, err := c.pathUser()
	if err == nil {
		err = c.id.CheckOther(user, "delete")
	}
	if err == nil {
		err = c.typed(user.Name)
	}
	if err == nil {
		err = c.server.config.Store.DeleteUser(ctx, user.ID, c.form.Get("images") != "")
	}
	if err != nil {
		return err
	}
	c.audit("user deleted", "name", user.Name)
	c.server.config.Remover.Remove(context.WithoutCancel(ctx))
	return c.done("/admin/users", "user_deleted")
}
