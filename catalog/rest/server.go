// Package rest is the HTTP API. Every endpoint is one row of the route table
// with the access it needs; the wire types are catalog/api's, and openapi.yaml
// describes what the table serves.
package rest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/klauspost/compress/gzhttp"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// Accounts makes what proves a user.
type Accounts interface {
	// CreateToken returns the secret, which is shown once. A zero expiry means never.
	CreateToken(ctx context.Context, userID int64, name string, scope catalog.Scope, expires time.Time) (secret string, token catalog.Token, err error)
	// SetPassword replaces a password. Errors: Invalid (too weak), NotFound.
	SetPassword(ctx context.Context, userID int64, password string) error
	// AddKey stores an SSH public key in authorized_keys form; an empty name
	// means the key's comment. Errors: Invalid, Conflict.
	AddKey(ctx context.Context, userID int64, name, line string) (catalog.Key, error)
}

// Remover deletes the things that stand behind the catalog's rows: repository,
// tags in the registry, logs. It is called after the rows are gone.
type Remover interface {
	RemoveImage(ctx context.Context, ref catalog.ImageRef, buildIDs []int64) error
	RemoveVersion(ctx context.Context, ref catalog.ImageRef, version catalog.Version, buildIDs []int64) error
}

// Contents reads what images say about themselves; the registry does.
type Contents interface {
	// Content returns an image by its manifest's digest. Errors: NotFound, Invalid.
	Content(ctx context.Context, ref catalog.ImageRef, digest string) (api.ImageContent, error)
}

// Check is one thing /readyz asks.
type Check struct {
	Name string
	Ping func(context.Context) error
}

// Config is what New needs: every part, and the addresses to show.
type Config struct {
	Store    catalog.Store
	Auth     catalog.Authenticator
	Accounts Accounts
	Logs     catalog.BuildLogs
	Control  catalog.BuildControl
	Contents Contents
	Uploads  catalog.Uploader
	Remover  Remover
	GitHub   catalog.GitHubControl
	Webhooks catalog.WebhookControl
	Checks   []Check
	// RegistryHost is the host, with port, that users pull from.
	RegistryHost string
	// GitURL and "/namespace/image" make the address to push to, as in
	// "ssh://git@host:2222".
	GitURL string
	// Limits bound how much one client may ask; the zero value means DefaultLimits.
	Limits Limits
	Logger hclog.Logger
}

// Server is the http.Handler for /api/, /fa/api/, /debug/pprof/, /healthz and /readyz.
type Server struct {
	Config
	mux     *http.ServeMux
	handler http.Handler // mux within everything that concerns all routes
	limiter *limiter
	ending  chan struct{} // closed when streams must end
}

// New builds the API. A missing part is an error that names it.
func New(c Config) (*Server, error) {
	for name, missing := range map[string]bool{
		"Store": c.Store == nil, "Auth": c.Auth == nil, "Accounts": c.Accounts == nil, "Logs": c.Logs == nil, "Control": c.Control == nil,
		"Contents": c.Contents == nil, "Uploads": c.Uploads == nil, "Remover": c.Remover == nil, "GitHub": c.GitHub == nil, "Webhooks": c.Webhooks == nil, "Logger": c.Logger == nil,
	} {
		if missing {
			return nil, fmt.Errorf("rest.Config.%s is missing", name)
		}
	}
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits
	}
	s := &Server{Config: c, mux: http.NewServeMux(), limiter: newLimiter(c.Limits), ending: make(chan struct{})}
	for _, route := range routes() {
		s.mux.Handle(route.method+" "+apiPrefix+route.path, s.endpoint(route))
	}
	s.mux.HandleFunc("GET "+apiPrefix+"openapi.yaml", s.openAPI)
	s.mux.Handle("GET "+debugPrefix, s.endpoint(route{access: accessAdmin, handle: (*call).profile}))
	s.mux.HandleFunc("GET /healthz", s.health)
	s.mux.HandleFunc("GET /readyz", s.ready)

	compress, err := gzhttp.NewWrapper()
	if err != nil {
		return nil, err
	}
	compressed := compress(http.HandlerFunc(s.dispatch))
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wantsEvents(r) { // must not wait in a compressor's buffer
			s.dispatch(w, r)
			return
		}
		compressed(w, r)
	})
	return s, nil
}

// EndStreams ends the event streams, which would go on forever. Their clients
// connect again. Call it once, when the server is to stop.
func (s *Server) EndStreams() { close(s.ending) }

const (
	apiPrefix = "/api/"
	// altPrefix is where one of the published clients looks for the API.
	altPrefix = "/fa" + apiPrefix
)

// ServeHTTP serves both prefixes alike.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, altPrefix) {
		http.StripPrefix("/fa", s.observed(s.handler)).ServeHTTP(w, r)
		return
	}
	s.observed(s.handler).ServeHTTP(w, r)
}

// dispatch answers in JSON where the mux has nothing to call.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	handler, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r) // again, for the path's values
		return
	}
	probe := &statusProbe{header: w.Header()}
	handler.ServeHTTP(probe, r)
	err := catalog.Errorf(catalog.NotFound, "there is nothing at %s %s; %sopenapi.yaml lists what there is", r.Method, r.URL.Path, apiPrefix)
	if probe.status == http.StatusMethodNotAllowed {
		s.fail(w, r, withStatus(probe.status, catalog.Errorf(catalog.Invalid, "%s can't be used here; allowed: %s", r.Method, w.Header().Get("Allow"))))
		return
	}
	s.fail(w, r, err)
}

// statusProbe learns the status and headers of an answer and drops its body.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }
