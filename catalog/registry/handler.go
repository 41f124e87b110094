package registry

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
)

// ServeHTTP authenticates, asks the catalog, and has the route's handler serve what is allowed.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := r.serve(w, req); err != nil {
		r.fail(w, req, err)
	}
}

func (r *Registry) serve(w http.ResponseWriter, req *http.Request) error {
	id, err := r.identify(req)
	if err != nil {
		return err
	}
	route, vars, err := routeOf(req)
	if err != nil {
		return err
	}
	c := &call{registry: r, w: w, req: req.Clone(req.Context()), id: id, vars: vars, start: time.Now()}
	if c.image, err = route.allow(c); err != nil {
		return err
	}
	if req.Body != nil && req.Body != http.NoBody {
		c.req.Body = &checkedBody{ReadCloser: req.Body, check: c.stillPushes}
	}
	err = route.handle(c)
	if catalog.CodeOf(err) == catalog.Internal && c.deletedMeanwhile() {
		err = catalog.Wrap(catalog.Unavailable, err, "image %s was just deleted and its files are being removed; try again in a moment", c.image.Ref)
	}
	return err
}

// deletedMeanwhile reports whether the image was there when the request began, and is gone, or files of it went since: what was stored
// of it goes then.
func (c *call) deletedMeanwhile() bool {
	if at, ok := c.registry.removed.Get(c.image.Ref); ok && !at.Before(c.start) {
		return true
	}
	if c.image.ID == 0 {
		return false
	}
	image, err := c.registry.store.Image(c.req.Context(), c.image.Ref)
	return catalog.CodeOf(err) == catalog.NotFound || err == nil && image.ID != c.image.ID
}

func (r *Registry) identify(req *http.Request) (catalog.Identity, error) {
	username, password, ok := req.BasicAuth()
	if !ok || username == "" && password == "" { // as some clients say that they have none
		return catalog.Identity{}, catalog.Errorf(catalog.Unauthorized, "log in first: docker login with your Fandogh user name and your password or a token")
	}
	if id, ok := r.Grants.identity(username, password); ok {
		return id, nil
	}
	id, err := r.auth.ByPassword(req.Context(), req.RemoteAddr, username, password)
	switch {
	case catalog.CodeOf(err) == catalog.Unauthorized:
		r.audit(req, username, catalog.LoginFailed)
	case err == nil && req.URL.Path == "/v2/": // where clients begin; all else repeats it
		r.audit(req, username, "login")
	}
	return id, err
}

// audit leaves a line in the audit log about what a user did, and from where.
func (r *Registry) audit(req *http.Request, user, what string, about ...any) {
	log := r.logger.ResetNamed("audit")
	log.SetLevel(hclog.Info) // whatever else is logged
	log.Info(what, append(about, "via", "registry", "user", user, "from", req.RemoteAddr)...)
}

// ask has the app answer. What it says of faults that are ours, with paths of this machine, is for the log.
func (r *Registry) ask(req *http.Request) (*bufferedResponse, error) {
	// The app reads form values, and a form in the body would say what was not
	// checked here: only the query counts.
	req.Form, req.PostForm = req.URL.Query(), url.Values{}
	answer := &bufferedResponse{header: http.Header{}}
	r.app.ServeHTTP(answer, req)
	if body, ok := req.Body.(*checkedBody); ok && body.refused != nil {
		return nil, body.refused
	}
	if answer.status < http.StatusInternalServerError {
		return answer, nil
	}
	err := fmt.Errorf("the registry's storage: %s", answer.body.Bytes())
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT} {
		if strings.Contains(err.Error(), full.Error()) {
			err = fmt.Errorf("%w: %w", err, full)
		}
	}
	return nil, err
}

// answer serves what the app answers.
func (c *call) answer() error {
	answer, err := c.registry.ask(c.req)
	if err != nil {
		return err
	}
	answer.sendTo(c.w)
	return nil
}

// pullManifest serves a manifest, by tag the one that the catalog recorded for it. A digest is served if
// the repository holds it: since it was pushed, until the version goes that it was part of, or a
// collection finds that it never was part of any.
func (c *call) pullManifest() error {
	ref := c.vars["reference"]
	if d, err := digest.Parse(ref); err == nil {
		if err := c.promise(d); err != nil {
			return err
		}
		return c.answerPull() // what is not there the app says
	}
	recorded, err := c.served(c.image, ref)
	if err == nil && c.isOwn(c.image, ref) { // nobody else's pull
		if err = c.registry.useTag(c.req.Context(), c.image.Ref, ref); err == nil {
			return c.answer()
		}
	}
	if err != nil {
		return err
	}
	if recorded != "" {
		readdress(c.req, ref, recorded)
	}
	return c.answerPull()
}

// answerPull serves what the app answers, and remembers which manifest that was.
func (c *call) answerPull() error {
	answer, err := c.registry.ask(c.req)
	if err != nil {
		return err
	}
	c.registry.pulls.note(answer, time.Now())
	answer.sendTo(c.w)
	return nil
}

// readdress has a request name a manifest in another way.
func readdress(req *http.Request, ref, another string) {
	req.URL.Path, req.URL.RawPath = strings.TrimSuffix(req.URL.Path, ref)+another, ""
}

// promise marks as in use what a push that asks whether it is there need not send. Pulls
// keep nothing: what is deleted is not to stay for who asks for it again and again.
func (c *call) promise(d digest.Digest) error {
	if c.req.Method != http.MethodHead {
		return nil
	}
	if pushes := c.pushes(c.image, "") == nil; !pushes {
		return nil
	}
	blob, err := c.registry.stored(c.image.Ref, d)
	if err != nil {
		return err
	}
	return c.registry.use(c.image.Ref, blob)
}
