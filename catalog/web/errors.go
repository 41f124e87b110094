package web

import (
	"net/http"
	"net/url"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// failure is what the page of an error shows.
type failure struct {
	Status  int
	Code    string
	Message string // a sentence in English
}

// fail answers with a page that says what is wrong; who has no session is asked to sign in.
func (c *call) fail(err error) {
	if c.r.Context().Err() != nil {
		return // the client is gone
	}
	code := catalog.CodeOf(err)
	if code == catalog.Unauthorized && !c.need.open && !requests.WantsEvents(c.r) {
		c.askToSignIn()
		return
	}
	status := code.HTTPStatus()
	log := requests.Logger(c.r.Context())
	if status >= http.StatusInternalServerError {
		log.Error("request failed", "method", c.r.Method, "path", c.r.URL.EscapedPath(), "error", err)
	} else {
		log.Debug("request refused", "method", c.r.Method, "path", c.r.URL.EscapedPath(), "error", err)
	}
	requests.SetRetryAfter(c.w.Header(), err)
	if shown := c.show(status, "error", "error."+string(code), failure{status, string(code), catalog.MessageOf(err)}); shown != nil {
		log.Error("page failed", "path", c.r.URL.EscapedPath(), "error", shown)
		http.Error(c.w, catalog.MessageOf(err), status)
	}
}

func (c *call) askToSignIn() {
	next := "/"
	if c.r.Method == http.MethodGet {
		next = c.r.URL.RequestURI()
	}
	target := "/signin"
	if next != "/" {
		target += "?" + url.Values{"next": {next}}.Encode()
	}
	http.Redirect(c.w, c.r, target, http.StatusSeeOther)
}

// failAlone answers where no call was made of the request, or its handler broke.
func (s *Server) failAlone(w http.ResponseWriter, r *http.Request, err error) {
	(&call{server: s, w: w, r: r, need: accessOpen, language: languageOf(r)}).fail(err)
}
