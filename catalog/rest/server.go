// Package rest is the HTTP API. Every endpoint is one row of the route table
// with the access it needs; the wire types are catalog/api's, and openapi.yaml
// describes what the table serves.
package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/klauspost/compress/gzhttp"

	"github.com/fandoghpaas/fandogh/catalog"
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

// Check is one thing /readyz asks.
type Check struct {
	Name string
	Ping func(context.Context) error
}

// Config is what New needs.
type Config struct {
	Store    catalog.Store
	Auth     catalog.Authenticator
	Accounts Accounts
	Logs     catalog.BuildLogs
	Control  catalog.BuildControl
	Remover  Remover
	Checks   []Check
	// RegistryHost is the host, with port, that users pull from.
	RegistryHost string
	Logger       hclog.Logger
}

// Server is the http.Handler for /api/, /fa/api/, /healthz and /readyz.
type Server struct {
	Config
	mux     *http.ServeMux
	handler http.Handler // mux within everything that concerns all routes
}

// New builds the API. Errors: Internal, when a part is missing.
func New(c Config) (*Server, error) {
	if c.Store == nil || c.Auth == nil || c.Accounts == nil || c.Logs == nil || c.Control == nil || c.Remover == nil || c.Logger == nil {
		return nil, errors.New("the REST API needs store, auth, accounts, logs, control, remover and logger")
	}
	s := &Server{Config: c, mux: http.NewServeMux()}
	for _, route := range routes() {
		s.mux.Handle(route.method+" "+apiPrefix+route.path, s.endpoint(route))
	}
	s.mux.HandleFunc("GET "+apiPrefix+"openapi.yaml", s.openAPI)
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
