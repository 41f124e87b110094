// Package web is the pages for people: what was built, why it failed, how to push and pull, as
// HTML in Persian and English. Every page is one row of the route table with the access it
// needs, and reads the same stores as catalog/rest; it never asks ourselves over HTTP.
//
// A Server is made by New, of parts that it does not own and never closes. It keeps nothing between
// requests but what limits them: a session is an API token, whose secret is the browser's cookie, so
// that it ends when the token does.
//
// What always holds: no handler runs before the route's access was decided by catalog.Authorize; a
// request that changes something comes from a page of ours, and has its form's token; everything that
// a user or a build said goes through html/template or into the text of an element; no page needs
// anything from another host, or a script, but to follow what happens.
package web

import (
	"context"
	"embed"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/klauspost/compress/gzhttp"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/requests"
	"github.com/fandoghpaas/fandogh/internal/turns"
)

//go:embed templates/*.html static/*
var files embed.FS

// Accounts makes what proves a user.
type Accounts interface {
	// CreateUser adds a user and the namespace of the same name. Errors: Invalid, Conflict, Unavailable (a Removal).
	CreateUser(ctx context.Context, name, password string, admin bool) (catalog.User, error)
	// SetPassword replaces a password. Errors: Invalid (too weak), NotFound.
	SetPassword(ctx context.Context, userID int64, password string) error
	// AddKey stores a public key; an empty name means the key's comment. Errors: Invalid, Conflict.
	AddKey(ctx context.Context, userID int64, name, line string) (catalog.Key, error)
	// CreateToken returns the secret, which is shown once.
	CreateToken(ctx context.Context, n catalog.NewToken) (secret string, token catalog.Token, err error)
}

// Contents reads what images say about themselves; the registry does.
type Contents interface {
	// Content returns an image by its manifest's digest. Errors: NotFound, Invalid.
	Content(ctx context.Context, ref catalog.ImageRef, digest string) (api.ImageContent, error)
	// PlatformImages is as of catalog.ImageContents.
	PlatformImages(ctx context.Context, ref catalog.ImageRef, digest string) ([]catalog.PlatformImage, error)
}

// Running tells of builds that run; the builder does.
type Running interface {
	// RunningSteps returns the steps of a build as they stand now, in the order in which they started; none of one that does not run.
	RunningSteps(buildID int64) []catalog.Step
}

// Remover deletes the files of what deletions took from the catalog.
type Remover interface {
	// Remove does what deletions have left to do (catalog.Removals). What it can't do now it logs, and does later.
	Remove(ctx context.Context)
}

// Config is what New needs: every part, and the addresses to show.
type Config struct {
	Store    catalog.Store
	Auth     catalog.Authenticator
	Accounts Accounts
	Logs     catalog.BuildLogs
	Control  catalog.BuildControl
	Running  Running
	Contents Contents
	// Diagnoses says why builds were slow, Files what is in images, and Histories what was committed.
	Diagnoses catalog.Diagnoses
	Files     catalog.ImageFiles
	Histories catalog.Histories
	// What the pages of settings show and change.
	Webhooks  catalog.WebhookControl
	GitHub    catalog.GitHubControl
	Retention catalog.RetentionControl
	Usage     catalog.UsageReport
	Remover   Remover
	Operator  Operator
	// PublicURL is where browsers find us; under https:// cookies go over TLS alone.
	PublicURL string
	// RegistryHost is the host, with port, that users pull from.
	RegistryHost string
	// GitURL and "/namespace/image" make the address to push to.
	GitURL string
	// Limits bound how much one client may ask; the zero value means requests.DefaultLimits.
	Limits requests.Limits
	Logger hclog.Logger
}

// readAtOnce is how many pages read what images say about themselves, of which each may have some 40 MB.
const readAtOnce = 4

// Server is the http.Handler for what Serves names.
type Server struct {
	config  Config
	mux     *http.ServeMux
	handler http.Handler // mux within everything that concerns all pages
	pages   *templates
	assets  map[string]asset
	limiter *requests.Limiter
	origins *http.CrossOriginProtection
	secure  bool
	now     func() time.Time
	ending  chan struct{} // closed when streams must end
	events  *eventCache
	reading *turns.Turns // of what images say about themselves
}

// New makes the pages. A missing part is an error that names it.
func New(c Config) (*Server, error) {
	for name, missing := range map[string]bool{
		"Store": c.Store == nil, "Auth": c.Auth == nil, "Accounts": c.Accounts == nil, "Logs": c.Logs == nil, "Control": c.Control == nil,
		"Contents": c.Contents == nil, "Webhooks": c.Webhooks == nil, "GitHub": c.GitHub == nil, "Retention": c.Retention == nil, "Usage": c.Usage == nil,
		"Remover": c.Remover == nil, "Operator": c.Operator == nil, "Running": c.Running == nil, "Diagnoses": c.Diagnoses == nil, "Files": c.Files == nil, "Histories": c.Histories == nil, "Logger": c.Logger == nil,
	} {
		if missing {
			return nil, fmt.Errorf("web.Config.%s is missing", name)
		}
	}
	s := &Server{
		config: c, mux: http.NewServeMux(), limiter: requests.NewLimiter(c.Limits), origins: http.NewCrossOriginProtection(),
		secure: strings.HasPrefix(c.PublicURL, "https://"), now: time.Now, ending: make(chan struct{}), events: newEventCache(), reading: turns.New(readAtOnce, 0),
	}
	if c.PublicURL != "" { // a proxy may ask us by another name
		if err := s.origins.AddTrustedOrigin(strings.TrimSuffix(c.PublicURL, "/")); err != nil {
			return nil, err
		}
	}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = s.parsePages(); err != nil {
		return nil, err
	}
	for _, route := range routes() {
		s.mux.Handle(route.method+" "+route.path, s.endpoint(route))
	}
	compress, err := gzhttp.NewWrapper()
	if err != nil {
		return nil, err
	}
	compressed := compress(http.HandlerFunc(s.dispatch))
	s.handler = requests.Observed(c.Logger, s.failAlone, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secureHeaders(w.Header())
		if requests.WantsEvents(r) { // must not wait in a compressor's buffer
			s.dispatch(w, r)
			return
		}
		compressed.ServeHTTP(w, r)
	}))
	return s, nil
}

// Serves reports whether a request is for a page, by the route table.
func (s *Server) Serves(r *http.Request) bool { return s.RouteName(r) != "none" }

// RouteName names what a request is for, by the pattern of its route; "none" for other paths.
func (s *Server) RouteName(r *http.Request) string {
	_, pattern := s.mux.Handler(&http.Request{Method: r.Method, Host: r.Host, URL: &url.URL{Path: r.URL.Path}})
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return path
	}
	return "none"
}

// WantsPage reports whether a request is a browser's for something to look at: where nothing serves its path, ServeHTTP says so on a page.
func WantsPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for accepted := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, params, err := mime.ParseMediaType(accepted)
		if err == nil && kind == "text/html" && params["q"] != "0" {
			return true
		}
	}
	return false
}

// dispatch serves a page, and says where none is that there is none.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	if s.Serves(r) {
		s.mux.ServeHTTP(w, r)
		return
	}
	s.endpoint(route{access: accessOpen, handle: func(*call) error {
		return catalog.Errorf(catalog.NotFound, "there is no page %s", r.URL.Path)
	}}).ServeHTTP(w, r)
}

// EndStreams ends the streams that would go on forever. Their clients connect again. Call it once,
// when the server is to stop.
func (s *Server) EndStreams() { close(s.ending) }

// ServeHTTP answers what Serves names, and anything else by a page that says that it is not there.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// secureHeaders are those of every answer. Nothing comes from another host, nothing is inline, nobody frames us.
// A referrer that is not sent at all would leave browsers without TLS no origin to send with a form.
func secureHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
