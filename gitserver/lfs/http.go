package lfs

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

const (
	// infix is between a repository's path and the API, where git-lfs looks for it.
	infix = ".git/info/lfs"
	// maxBody bounds a request in JSON, in bytes.
	maxBody = 4 << 20

	mediaType = "application/vnd.git-lfs+json"
)

// route is one row of the API. A word in braces takes one part of the path.
type route struct {
	method, path string
	action       catalog.Action
	handle       func(*call) error
}

var routes = []route{
	{http.MethodPost, "objects/batch", catalog.ActionRead, (*call).batch}, // an upload takes more, which the body asks for
	{http.MethodGet, "objects/{oid}", catalog.ActionRead, (*call).download},
	{http.MethodHead, "objects/{oid}", catalog.ActionRead, (*call).download},
	{http.MethodPut, "objects/{oid}", catalog.ActionWrite, (*call).upload},
	{http.MethodGet, "locks", catalog.ActionRead, (*call).listLocks},
	{http.MethodPost, "locks", catalog.ActionWrite, (*call).createLock},
	{http.MethodPost, "locks/verify", catalog.ActionWrite, (*call).verifyLocks},
	{http.MethodPost, "locks/{id}/unlock", catalog.ActionWrite, (*call).deleteLock},
}

// Routes lists what is served behind NAMESPACE/IMAGE.git/info/lfs/, as "METHOD path".
func Routes() (list []string) {
	for _, r := range routes {
		list = append(list, r.method+" "+r.path)
	}
	return list
}

// find returns the row of a request, and what its path has in the place of braces. Errors: NotFound.
func find(method, path string) (route, string, error) {
	for _, r := range routes {
		before, behind, variable := strings.Cut(r.path, "{")
		if !variable && (r.path != path || r.method != method) {
			continue
		}
		if !variable {
			return r, "", nil
		}
		_, behind, _ = strings.Cut(behind, "}")
		value, ok := strings.CutPrefix(path, before)
		if value, ok = cutSuffix(value, behind, ok); ok && r.method == method && value != "" && !strings.Contains(value, "/") {
			return r, value, nil
		}
	}
	return route{}, "", catalog.Errorf(catalog.NotFound, "the Git LFS API has no %s %s", method, path)
}

func cutSuffix(text, suffix string, ok bool) (string, bool) {
	text, cut := strings.CutSuffix(text, suffix)
	return text, ok && cut
}

// call is one request.
type call struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	at     time.Time // when it came
	until  time.Time // when its token ends; zero: it has none of ours
	path   string    // of the repository
	value  string    // of what is behind it
	Caller Caller
}

// Serves reports whether a path is of the API.
func Serves(path string) bool { return strings.Contains(path, infix+"/") }

// ServeHTTP answers what Serves.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{server: s, w: w, r: r, at: s.config.Now()}
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

func (c *call) serve() error {
	var rest string
	c.path, rest, _ = strings.Cut(c.r.URL.Path, infix+"/")
	id, err := c.login(c.r.Context())
	if err != nil {
		return err
	}
	ref, err := repository.ParsePath(c.path, id.User.Name)
	if err != nil {
		return catalog.Errorf(catalog.NotFound, "%s", catalog.MessageOf(err))
	}
	c.Caller = Caller{Identity: id, Ref: ref, StillMay: c.stillMay, Audit: c.audit(id.User.Name)}
	route, value, err := find(c.r.Method, rest)
	if err != nil {
		return err
	}
	c.value = value
	if err := c.may(route.action); err != nil {
		return err
	}
	return route.handle(c)
}

// login returns who sent the request: by a password or a token of the user's, or by a token that SSH gave. Errors: Unauthorized.
func (c *call) login(ctx context.Context) (catalog.Identity, error) {
	if user, password, ok := c.r.BasicAuth(); ok && user+password != "" {
		id, err := c.server.config.Auth.ByPassword(ctx, c.r.RemoteAddr, user, password)
		if catalog.CodeOf(err) == catalog.Unauthorized {
			c.audit(user).Info(catalog.LoginFailed)
		}
		return id, err
	}
	scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "JWT") {
		return catalog.Identity{}, catalog.Errorf(catalog.Unauthorized, "log in with your Fandogh user name and your password or a token")
	}
	if !strings.HasPrefix(token, tokenPrefix) {
		return c.server.config.Auth.ByToken(ctx, token)
	}
	grant, err := c.server.unseal(token, c.at)
	if err != nil {
		return catalog.Identity{}, err
	}
	if c.until = grant.Until; !strings.EqualFold(strings.TrimPrefix(c.path, "/"), grant.Repository) {
		return catalog.Identity{}, catalog.Errorf(catalog.Forbidden, "this Git LFS token is for %s alone", grant.Repository)
	}
	id, err := c.server.identify(ctx, grant)
	if err == nil {
		c.server.config.LoggedIn(ctx)
	}
	return id, err
}

func (c *call) may(action catalog.Action) error {
	return c.server.authorize(c.r.Context(), c.Caller.Identity, action, c.Caller.Ref)
}

func (s *Server) authorize(ctx context.Context, id catalog.Identity, action catalog.Action, ref catalog.ImageRef) error {
	return catalog.Authorize(ctx, s.config.Store, id, action, catalog.Target{Namespace: ref.Namespace, Image: ref.Name})
}

// stillMay asks again. A token may have ended since the request began.
func (c *call) stillMay(ctx context.Context, action catalog.Action) error {
	id, err := c.login(ctx)
	if err != nil {
		return err
	}
	return c.server.authorize(ctx, id, action, c.Caller.Ref)
}

func (c *call) audit(user string) hclog.Logger {
	log := c.server.config.Logger.ResetNamed("audit")
	log.SetLevel(hclog.Info) // whatever else is logged
	return log.With("via", "lfs", "user", user, "from", c.r.RemoteAddr)
}

// read takes a request in JSON; none is an empty one. Errors: Invalid, TooLarge.
func (c *call) read(into any) error {
	text, err := bounded.ReadAll(c.r.Body, maxBody)
	if tooLong := (*bounded.TooLongError)(nil); errors.As(err, &tooLong) {
		return catalog.Errorf(catalog.TooLarge, "the request is larger than %d MiB; request less at once", maxBody>>20)
	}
	if err != nil {
		return catalog.Wrap(catalog.Invalid, err, "the request did not arrive")
	}
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return catalog.Wrap(catalog.Invalid, err, "the request is not the JSON that the Git LFS API takes")
	}
	return nil
}

func (c *call) answer(status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", mediaType)
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append(text, '\n')) // fails with the client alone
	return nil
}

type wireError struct {
	Message string `json:"message"`
}

func (c *call) fail(err error) {
	log := c.server.config.Logger.With("method", c.r.Method, "path", c.r.URL.EscapedPath(), "error", err)
	status, message, fault := answerTo(err)
	if fault && c.r.Context().Err() == nil {
		log.Error("a Git LFS request failed")
	} else {
		log.Debug("refused a Git LFS request")
	}
	switch status {
	case http.StatusUnauthorized:
		c.w.Header().Set("LFS-Authenticate", `Basic realm="fandogh"`)
		c.w.Header().Set("WWW-Authenticate", `Basic realm="fandogh"`)
	case http.StatusTooManyRequests:
		var limited interface{ RetryAfter() time.Duration }
		if errors.As(err, &limited) {
			c.w.Header().Set("Retry-After", strconv.Itoa(int(limited.RetryAfter().Seconds())))
		}
	}
	_ = c.answer(status, wireError{message}) // what is above always has its JSON
}

// download serves an object, or the part of it that a client lacks.
func (c *call) download() error {
	content, object, err := c.server.open(c.r.Context(), c.Caller.Ref, c.value)
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // only read
	header := c.w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Disposition", "attachment")
	header.Set("Cache-Control", "private, max-age=31536000") // a year; what an OID names never changes
	header.Set("ETag", `"`+object.OID+`"`)
	http.ServeContent(c.w, c.r, "", time.Time{}, content)
	return nil
}

// upload takes an object, of the size that the batch's answer has in its address.
func (c *call) upload() error {
	size := c.r.ContentLength
	if text := c.r.URL.Query().Get("size"); text != "" {
		var err error
		if size, err = strconv.ParseInt(text, 10, 64); err != nil {
			return catalog.FieldErrorf("size", "%q is not a valid size", text)
		}
	}
	w := wanted{OID: c.value, Size: size}
	if err := c.server.receive(c.r.Context(), c.Caller, w, body{c.r.Body}); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// body is a request's, whose early end is the client's.
type body struct{ from io.Reader }

func (b body) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = catalog.Wrap(catalog.Invalid, err, "the object did not arrive whole")
	}
	return n, err
}
