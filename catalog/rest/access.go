package rest

import (
	"net/http"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// access says who may use a route. The zero value is none at all, so that a
// route without a declared access can't be served.
type access struct {
	open   bool           // also without an identity
	self   bool           // every user, on what is their own
	action catalog.Action // with self: read or write; else on the request's namespace
	all    bool           // without a namespace: every user, on all they may read
	whole  bool           // on the installation, in no namespace: administrators
}

var (
	accessOpen      = access{open: true}
	accessSelfRead  = access{self: true, action: catalog.ActionRead}
	accessSelfWrite = access{self: true, action: catalog.ActionWrite}
	accessRead      = access{action: catalog.ActionRead}
	accessReadAll   = access{action: catalog.ActionRead, all: true}
	accessWrite     = access{action: catalog.ActionWrite}
	accessManage    = access{action: catalog.ActionManage}
	accessObserve   = access{action: catalog.ActionRead, whole: true}
	accessOperate   = access{action: catalog.ActionOperate, whole: true}
)

// namespaceHeader chooses a namespace other than the user's own.
const namespaceHeader = "ACTIVE-NAMESPACE"

// unchosen is what one of the published clients sends before one is chosen.
const unchosen = "[object Object]"

// authorize finds out who asks and for which namespace, and refuses what the
// route's access does not allow.
func (c *call) authorize() error {
	c.idErr = c.identify()
	if err := c.server.limiter.Allow(c.id, c.r.RemoteAddr, time.Now()); err != nil {
		return err
	}
	if c.idErr != nil && (!c.need.open || catalog.CodeOf(c.idErr) != catalog.Unauthorized) {
		return c.idErr
	}
	c.namespace = c.r.PathValue("namespace")
	if header := c.r.Header.Get(namespaceHeader); c.namespace == "" && header != unchosen {
		c.namespace = header
	}
	switch {
	case c.need.whole:
		c.namespace = ""
	case c.namespace == "" && !c.need.all:
		c.namespace = c.id.User.Name
	}
	if err := c.decide(); err != nil || c.namespace == "" || c.need.open || c.need.self {
		return err
	}
	// From here on the name is the stored one, in whichever case it was asked for.
	stored, err := c.server.config.Store.Namespace(c.r.Context(), c.namespace)
	if err == nil {
		c.namespace = stored.Name
	}
	return err
}

// stillAllowed asks again, for bodies and answers that last: a token or a role may
// have been revoked meanwhile.
func (c *call) stillAllowed() error {
	again := *c
	if err := again.identify(); err != nil {
		return err
	}
	if err := again.decide(); err != nil || c.namespace == "" {
		return err
	}
	return catalog.CheckNotMoved(c.r.Context(), c.server.config.Store, catalog.ImageRef{Namespace: c.namespace, Name: c.r.PathValue("name")})
}

func (c *call) decide() error {
	switch need := c.need; {
	case need.open:
		return nil
	case need.self && need.action == catalog.ActionWrite:
		return c.id.CheckWriteScope()
	case need.self, need.all && c.namespace == "":
		return nil
	case need.action == "":
		return catalog.Errorf(catalog.Forbidden, "access to this path is not allowed")
	}
	return c.mayDo(c.need.action)
}

// mayDo asks whether the user may do something to what the path names. Errors: Forbidden, NotFound.
func (c *call) mayDo(action catalog.Action) error {
	target := catalog.Target{Namespace: c.namespace, Image: c.r.PathValue("name"), Version: c.r.PathValue("version")}
	return catalog.Authorize(c.r.Context(), c.server.config.Store, c.id, action, target)
}

// identify reads "Authorization: JWT <token>", or Bearer in JWT's place.
func (c *call) identify() error {
	scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "JWT") && !strings.EqualFold(scheme, "Bearer") {
		return catalog.Errorf(catalog.Unauthorized, "log in first: POST your username and password to %stokens and send the token as \"Authorization: JWT <token>\"", apiPrefix)
	}
	var err error
	c.id, err = c.server.config.Auth.ByToken(c.r.Context(), strings.TrimSpace(token))
	return err
}

// endpoint serves one row of the route table.
func (s *Server) endpoint(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{server: s, w: w, r: r, need: route.access}
		err := checkText(r)
		if err == nil {
			err = c.authorize()
		}
		if err == nil {
			err = route.handle(c)
		}
		if err != nil {
			s.failDraining(w, r, err)
		}
	})
}
