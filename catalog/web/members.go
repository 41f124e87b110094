package web

import (
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
)

// membersData is what the page of a namespace's members shows.
type membersData struct {
	Name    string
	Tabs    []tab
	Members []catalog.Member
	Roles   []catalog.Role
	Manages bool
	Pager   pager
}

func (c *call) membersPage() error {
	page, err := c.page()
	if err != nil {
		return err
	}
	members, err := c.server.config.Store.Members(c.r.Context(), c.namespace, page)
	if err != nil {
		return err
	}
	data := membersData{Name: c.namespace, Roles: catalog.Roles(), Manages: c.manages()}
	data.Tabs = namespaceTabs(c.namespace, "members", data.Manages)
	data.Members, data.Pager = cut(c, members, func(m catalog.Member) int64 { return m.User.ID })
	return c.show(http.StatusOK, "members", "members", data)
}

// setMember adds a member, or changes the role of one.
func (c *call) setMember() error {
	role, err := catalog.ParseRole(c.form.Get("role"))
	if err != nil {
		return err
	}
	return c.changeMember(role, "member")
}

func (c *call) removeMember() error { return c.changeMember(catalog.RoleNone, "member_removed") }

func (c *call) changeMember(role catalog.Role, done string) error {
	ctx, store := c.r.Context(), c.server.config.Store
	user, err := store.User(ctx, c.field("user"))
	if err != nil {
		return err
	}
	if err := store.SetMember(ctx, c.namespace, user.ID, role); err != nil {
		return err
	}
	c.audit("member changed", "namespace", c.namespace, "member", user.Name, "role", role.Name())
	if role == catalog.RoleNone && user.ID == c.id.User.ID { // who may not see the page any more
		return c.goTo("/")
	}
	return c.done(membersOf(c.namespace), done)
}

// usageData is what the page of a namespace's usage shows.
type usageData struct {
	Name   string
	Tabs   []tab
	Use    catalog.NamespaceUsage
	Images []catalog.ImageUsage // those that take most
	More   int                  // that are not shown
}

func (c *call) usagePage() error {
	use, err := c.server.config.Usage.Usage(c.r.Context(), c.namespace)
	if err != nil {
		return err
	}
	data := usageData{Name: c.namespace, Tabs: namespaceTabs(c.namespace, "usage", c.manages()), Use: use}
	data.Images, data.More = largest(use.Images)
	return c.show(http.StatusOK, "usage", "usage", data)
}
