package web

import (
	"crypto/hmac"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// form serves a change. What the user can mend is said on the page that has the form, with what was typed still in it.
func form(change, page func(*call) error) func(*call) error {
	return func(c *call) error {
		err := change(c)
		switch code := catalog.CodeOf(err); code {
		case "", catalog.Internal, catalog.Unauthorized:
			return err
		default:
			requests.Logger(c.r.Context()).Debug("change refused", "path", c.r.URL.EscapedPath(), "error", err)
			requests.SetRetryAfter(c.w.Header(), err)
			c.failed = &failure{code.HTTPStatus(), string(code), catalog.MessageOf(err)}
			return page(c)
		}
	}
}

// saysDoneFor is how long a page says what was done: not when it is loaded again later, or comes back from a bookmark.
const saysDoneFor = time.Minute

// done answers a change that was made: the browser asks for a page, which says what was done. No link of another's can make it say so.
func (c *call) done(path, what string) error {
	path, fragment, found := strings.Cut(path, "#")
	to := path + "?" + url.Values{"done": {c.doneAt(what, strconv.FormatInt(c.server.now().Unix(), 10))}}.Encode()
	if found {
		to += "#" + fragment
	}
	return c.goTo(to)
}

// doneAt says what was done in this session at a time, in seconds since 1970.
func (c *call) doneAt(what, seconds string) string {
	return what + "." + seconds + "." + proofOf(c.secret, "done "+what+" "+seconds)
}

// saysDone is the key of the message about the change that led to this page; empty: none did.
func (c *call) saysDone() string {
	given := c.r.URL.Query().Get("done")
	what, rest, _ := strings.Cut(given, ".")
	at, _, _ := strings.Cut(rest, ".")
	key := "done." + what
	if _, ok := messages[key]; !ok || c.r.Method != http.MethodGet || c.secret == "" || !hmac.Equal([]byte(given), []byte(c.doneAt(what, at))) {
		return ""
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || c.server.now().Sub(time.Unix(seconds, 0)) > saysDoneFor {
		return ""
	}
	return key
}

// here is the path of the page, with its query, to come back to; of a form that is shown again, that of the page it was on.
func (c *call) here() string {
	if c.r.Method == http.MethodGet {
		return c.r.URL.RequestURI()
	}
	from, err := url.Parse(c.r.Header.Get("Referer"))
	if err != nil {
		return "/"
	}
	return localPath(from.RequestURI())
}

// field is a line of the form, without blanks around it.
func (c *call) field(name string) string { return strings.TrimSpace(c.form.Get(name)) }

// whole reads a whole number of the form. Errors: Invalid.
func (c *call) whole(name string) (int64, error) {
	n, err := strconv.ParseInt(c.field(name), 10, 64)
	if err != nil {
		return 0, catalog.FieldErrorf(name, "%s must be a whole number, not %q", name, c.form.Get(name))
	}
	return n, nil
}

// pathID reads the {id} of the path. Errors: NotFound.
func (c *call) pathID() (int64, error) {
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, catalog.Errorf(catalog.NotFound, "there is no %q", c.r.PathValue("id"))
	}
	return id, nil
}

// typed asks for a name to be typed before what has it is deleted. Errors: Invalid.
func (c *call) typed(name string) error {
	if c.field("confirm") != name {
		return catalog.FieldErrorf("confirm", "type %s to delete it; nothing was deleted", name)
	}
	return nil
}
