package rest

import (
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func (c *call) listNamespaces() ([]api.Namespace, error) {
	ctx := c.r.Context()
	namespaces, err := catalog.AllNamespaces(ctx, c.server.config.Store, c.id.User.ID)
	if err != nil {
		return nil, err
	}
	out := []api.Namespace{}
	for _, n := range namespaces {
		role, err := c.server.config.Store.Role(ctx, c.id.User.ID, n.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, api.Namespace{Name: n.Name, Role: role.Name()})
	}
	return out, nil
}

func (c *call) oneNamespace() (api.Namespace, error) {
	role, err := c.server.config.Store.Role(c.r.Context(), c.id.User.ID, c.namespace)
	return api.Namespace{Name: c.namespace, Role: role.Name()}, err
}

func (c *call) createNamespace(in api.CreateNamespace) (api.Namespace, error) {
	if c.server.namespacesByAdmins.Load() && !c.id.User.Admin {
		return api.Namespace{}, catalog.Errorf(catalog.Forbidden, "only administrators can create shared namespaces on this server; ask one of them")
	}
	namespace, err := c.server.config.Store.CreateNamespace(c.r.Context(), in.Name, c.id.User.ID)
	if err != nil {
		return api.Namespace{}, about("name", err)
	}
	c.audit("namespace created", "namespace", namespace.Name)
	return api.Namespace{Name: namespace.Name, Role: catalog.RoleAdmin.Name()}, nil
}

func (c *call) listMembers() ([]api.Member, error) {
	members, err := catalog.AllMembers(c.r.Context(), c.server.config.Store, c.namespace)
	return convertAll(members, func(m catalog.Member) api.Member {
		return api.Member{Username: m.User.Name, Role: m.Role.Name()}
	}), err
}

func (c *call) setMember(in api.SetMember) (api.Member, error) {
	role, err := catalog.ParseRole(in.Role)
	if err != nil {
		return api.Member{}, err
	}
	user, err := c.changeMember(role)
	return api.Member{Username: user.Name, Role: role.Name()}, err
}

func (c *call) deleteMember() error {
	if _, err := c.changeMember(catalog.RoleNone); err != nil {
		return err
	}
	return c.deleted("Member Removed Successfully")
}

func (c *call) changeMember(role catalog.Role) (catalog.User, error) {
	ctx := c.r.Context()
	user, err := c.server.config.Store.User(ctx, c.r.PathValue("user"))
	if err != nil {
		return user, err
	}
	if err := c.server.config.Store.SetMember(ctx, c.namespace, user.ID, role); err != nil {
		return user, err
	}
	c.audit("member changed", "namespace", c.namespace, "member", user.Name, "role", role.Name())
	return user, nil
}

// messageOK is the body of a change that has nothing to show.
func messageOK(text string) api.Message { return api.NewMessage(http.StatusOK, text) }
