package web

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// call is one request for a page.
type call struct {
	server    *Server
	w         http.ResponseWriter
	r         *http.Request
	need      access // of the route
	language  lang
	secret    string           // of the session; empty without one
	id        catalog.Identity // zero without a session
	form      url.Values       // of a change, when it was checked
	namespace string           // that the route's access was checked for
	failed    *failure         // of a form that is shown again
}

// endpoint serves one row of the route table.
func (s *Server) endpoint(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{server: s, w: w, r: r, need: route.access, language: languageOf(r)}
		err := c.authorize()
		if err == nil && r.Method == http.MethodPost {
			err = c.checkForm()
		}
		if err == nil {
			err = route.handle(c)
		}
		if err != nil {
			c.fail(err)
		}
	})
}

// authorize finds out who asks, and refuses what the route's access does not allow.
func (c *call) authorize() error {
	err := c.identify()
	if limited := c.server.limiter.Allow(c.id, c.r.RemoteAddr, c.server.now()); limited != nil {
		return limited
	}
	if err != nil && (!c.need.open || catalog.CodeOf(err) != catalog.Unauthorized) {
		return err
	}
	if err := c.decide(); err != nil || c.need.action == "" || c.need.self || c.need.whole {
		return err
	}
	stored, err := c.server.config.Store.Namespace(c.r.Context(), c.r.PathValue("namespace"))
	c.namespace = stored.Name
	return err
}

func (c *call) decide() error {
	switch {
	case c.need.self && c.need.action == catalog.ActionWrite:
		return c.id.CheckWriteScope()
	case c.need.whole:
		return catalog.Authorize(c.r.Context(), c.server.config.Store, c.id, c.need.action, catalog.Target{})
	case c.need.open, c.need.self:
		return nil
	}
	if c.need.action == "" {
		return catalog.Errorf(catalog.Forbidden, "access to this path is not allowed")
	}
	return c.mayDo(c.need.action)
}

// mayDo asks whether the user may do something to what the path names. Errors: Forbidden, NotFound.
func (c *call) mayDo(action catalog.Action) error {
	target := catalog.Target{Namespace: c.r.PathValue("namespace"), Image: c.r.PathValue("image"), Version: c.r.PathValue("version")}
	return catalog.Authorize(c.r.Context(), c.server.config.Store, c.id, action, target)
}

// stillAllowed asks again, for answers that last: a session or a role may have been revoked meanwhile.
func (c *call) stillAllowed() error {
	again := *c
	if err := again.identify(); err != nil {
		return err
	}
	if err := again.decide(); err != nil || c.namespace == "" {
		return err
	}
	return catalog.CheckNotMoved(c.r.Context(), c.server.config.Store, catalog.ImageRef{Namespace: c.namespace, Name: c.r.PathValue("image")})
}

// page is what the layout needs, and what its page is about.
type page struct {
	Language  lang
	User      string // empty without a session
	FormToken string
	Here      string // path and query, to come back to
	Title     string
	Data      any
	Admin     bool       // of the installation
	Form      url.Values // what was typed into a form that is shown again
	Failed    *failure   // why it is
	Done      string     // the message about the change that led here
	zone      *time.Location
}

// Zone is the name of the time zone of the page's times.
func (p page) Zone() string { return p.zone.String() }

// show answers with a page: templates/NAME.html, in the request's language.
func (c *call) show(status int, name, title string, data any) error {
	p := page{Language: c.language, User: c.id.User.Name, FormToken: c.formToken(), Here: c.here(), Title: title, Data: data,
		Admin: c.id.User.Admin, Form: c.form, Failed: c.failed, Done: c.saysDone(), zone: zoneOf(c.r)}
	if c.failed != nil {
		status = c.failed.Status
	}
	var body bytes.Buffer
	local, err := c.server.pages.page(c.language, p.zone, name)
	if err != nil {
		return err
	}
	if err := local.ExecuteTemplate(&body, "layout.html", p); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.Header().Set("Content-Language", string(c.language))
	c.w.Header().Set("Vary", "Cookie, Accept-Language")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(withoutTricks(body.Bytes())) // a failed write is a client that went away
	return nil
}

// withoutTricks is a page with what can't be seen, or turns around what stands beside it, made visible, wherever a user or a build has said that.
func withoutTricks(page []byte) []byte {
	tricks := func(r rune) bool { return r != '\n' && r != '\r' && r != '\t' && isTrick(r) }
	if !bytes.ContainsFunc(page, tricks) {
		return page
	}
	return bytes.Map(func(r rune) rune {
		if tricks(r) {
			return '\uFFFD'
		}
		return r
	}, page)
}

// goTo answers a form: the browser asks for another page.
func (c *call) goTo(path string) error {
	http.Redirect(c.w, c.r, path, http.StatusSeeOther)
	return nil
}

// localPath returns a path with its query where it is one of this server, else "/".
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, "//") || strings.ContainsAny(u.Path, "\\\r\n\t") {
		return "/"
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
}

// audit leaves a line in the audit log about a change, as the other interfaces do.
func (c *call) audit(what string, about ...any) {
	requests.Audit(c.r, "web", c.id.User.Name, what, about...)
}
