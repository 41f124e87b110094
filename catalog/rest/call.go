package rest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// call is one authorized request.
type call struct {
	server    *Server
	w         http.ResponseWriter
	r         *http.Request
	need      access // of the route
	id        catalog.Identity
	idErr     error  // why there is no id, on a route that needs none
	namespace string // that the route's access was checked for; empty: all
}

// handler serves a call; it answers, or returns an error before it has.
type handler func(*call) error

// answer makes a handler of a function that returns what to send as JSON.
func answer[Out any](f func(*call) (Out, error)) handler {
	return func(c *call) error {
		out, err := f(c)
		if err != nil {
			return err
		}
		c.send(out)
		return nil
	}
}

// accept makes a handler of a function that takes a JSON body, too.
func accept[In, Out any](f func(*call, In) (Out, error)) handler {
	return answer(func(c *call) (Out, error) {
		in, err := decode[In](c.w, c.r)
		if err == nil && c.idErr == nil { // the body may have taken long
			err = c.stillAllowed()
		}
		if err != nil {
			var none Out
			return none, err
		}
		return f(c, in)
	})
}

// acceptOptional is accept for a route whose body may be left out.
func acceptOptional[In, Out any](f func(*call, In) (Out, error)) handler {
	return func(c *call) error {
		if c.r.ContentLength == 0 {
			var none In
			return answer(func(c *call) (Out, error) { return f(c, none) })(c)
		}
		return accept(f)(c)
	}
}

// image returns the image that the path names.
func (c *call) image() (catalog.Image, error) { return c.imageNamed(c.r.PathValue("name")) }

// imageNamed returns an image of the request's namespace.
func (c *call) imageNamed(name string) (catalog.Image, error) {
	image, err := c.server.config.Store.Image(c.r.Context(), catalog.ImageRef{Namespace: c.namespace, Name: name})
	if catalog.CodeOf(err) == catalog.NotFound {
		return image, catalog.Wrap(catalog.NotFound, err, "image %q does not exist in namespace %q", name, c.namespace)
	}
	return image, err
}

// version returns the image and the version that the path names.
func (c *call) version() (catalog.Image, catalog.Version, error) {
	image, err := c.image()
	if err != nil {
		return image, catalog.Version{}, err
	}
	version, err := c.server.config.Store.Version(c.r.Context(), image.ID, c.r.PathValue("version"))
	if catalog.CodeOf(err) == catalog.NotFound {
		err = catalog.Wrap(catalog.NotFound, err, "image %q has no version %q", image.Ref.Name, c.r.PathValue("version"))
	}
	return image, version, err
}

// audit leaves a line in the audit log about a change, by whom and from where.
func (c *call) audit(what string, about ...any) {
	requests.Audit(c.r, "rest", c.id.User.Name, what, about...)
}

// send answers 200. What is read carries an ETag, so that polling an unchanged
// thing costs an empty 304.
func (c *call) send(out any) {
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		writeJSON(c.w, http.StatusOK, out)
		return
	}
	body := marshal(out)
	sum := sha256.Sum256(body)
	tag := `W/"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	c.w.Header().Set("ETag", tag)
	c.w.Header().Set("Cache-Control", "private, no-cache")
	c.w.Header().Set("Vary", "Authorization, "+namespaceHeader)
	if matches(c.r.Header.Get("If-None-Match"), tag) {
		c.w.WriteHeader(http.StatusNotModified)
		return
	}
	writeBody(c.w, http.StatusOK, body)
}

func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

func writeJSON(w http.ResponseWriter, status int, body any) { writeBody(w, status, marshal(body)) }

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A failed write is a client that went away.
	_, _ = w.Write(body)
}

// marshal leaves <, > and & as they are: no client reads our JSON as HTML.
func marshal(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // a wire type that JSON can't express is a mistake in this program
	}
	return b.Bytes()
}
