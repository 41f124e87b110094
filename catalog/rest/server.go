// Package rest is the HTTP API: accounts, images, versions, builds, logs and events
// for users with a token. Every endpoint is one row of the route table
// with the access it needs; the wire types are catalog/api's, and openapi.yaml
// describes what the table serves.
//
// A Server is made by New, of parts that it does not own and never closes, and is an
// http.Handler until its http.Server stops. It keeps nothing between requests but
// what limits them and the last readiness. EndStreams ends what would last for ever,
// so that a stop need not wait for it; their clients come again.
//
// What always holds: no handler runs before the route's access was decided, and a row
// without an access can't be served; what lasts asks again, a body when it is there, a
// stream before it sends (stillAllowed); a route that asks for a role tells a stranger
// of what is not theirs as of what does not exist; errors go through one table from codes to statuses, with a sentence that is
// safe to show, and causes go to the log; field names and shapes are the published
// contract's, whose clients are in use: what is new is added beside them. Handlers read
// bodies by a bound, and leave a line in the audit log of what they changed.
package rest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/klauspost/compress/gzhttp"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// Accounts makes what proves a user.
type Accounts interface {
	// CreateUser adds a user and the namespace of the same name. Errors: Invalid, Conflict, Unavailable (a Removal).
	CreateUser(ctx context.Context, name, password string, admin bool) (catalog.User, error)
	// CreateToken returns the secret, which is shown once. A zero expiry means never.
	CreateToken(ctx context.Context, n catalog.NewToken) (secret string, token catalog.Token, err error)
	// SetPassword replaces a password. Errors: Invalid (too weak), NotFound.
	SetPassword(ctx context.Context, userID int64, password string) error
	// AddKey stores an SSH public key in authorized_keys form; an empty name
	// means the key's comment. Errors: Invalid, Conflict.
	AddKey(ctx context.Context, userID int64, name, line string) (catalog.Key, error)
}

// Remover deletes the files of what deletions took from the catalog.
type Remover interface {
	// Remove does what deletions have left to do (catalog.Removals). What it can't do now it
	// logs, and does later.
	Remove(ctx context.Context)
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
	Branches catalog.Branches
	Remover  Remover
	// Transfers gives images to other namespaces.
	Transfers catalog.TransferControl
	Origins   catalog.Origins
	Keys      catalog.SigningKeys
	SBOMs     catalog.SBOMs
	// Diagnoses says why builds were slow.
	Diagnoses catalog.Diagnoses
	// Comparisons builds versions again.
	Comparisons catalog.Comparisons
	GitHub      catalog.GitHubControl
	Webhooks    catalog.WebhookControl
	Secrets     catalog.SecretControl // what builds are given
	Retention   catalog.RetentionControl
	Usage       catalog.UsageReport
	Parts       func() map[string]int64 // what the parts of the data directory take, in bytes, measured when it is asked
	Mirror      catalog.Mirror          // nil: nothing is kept of other registries
	Checks      []Check
	Metrics     http.Handler // what administrators get at /metrics; nil: nothing is there
	// RegistryHost is the host, with port, that users pull from.
	RegistryHost string
	// GitURL and "/namespace/image" make the address to push to, as in
	// "ssh://git@host:2222".
	GitURL string
	// NamespacesByAdmins leaves the creation of shared namespaces to administrators, so that
	// no user takes the name of one to come.
	NamespacesByAdmins bool
	// Version is this program's, which any client may ask for.
	Version string
	// Limits bound how much one client may ask; the zero value means requests.DefaultLimits.
	Limits requests.Limits
	Logger hclog.Logger
}

// Server is the http.Handler for /api/, /fa/api/, /debug/pprof/, /metrics, /healthz and /readyz.
type Server struct {
	config  Config
	mux     *http.ServeMux
	handler http.Handler // mux within everything that concerns all routes
	limiter *requests.Limiter
	ending  chan struct{} // closed when streams must end
	checked checked
	// namespacesByAdmins is as Config has it, or as it was changed.
	namespacesByAdmins atomic.Bool
}

// SetNamespacesByAdmins changes Config.NamespacesByAdmins.
func (s *Server) SetNamespacesByAdmins(alone bool) { s.namespacesByAdmins.Store(alone) }

// New builds the API. A missing part is an error that names it.
func New(c Config) (*Server, error) {
	for name, missing := range map[string]bool{
		"Store": c.Store == nil, "Auth": c.Auth == nil, "Accounts": c.Accounts == nil, "Logs": c.Logs == nil, "Control": c.Control == nil,
		"Contents": c.Contents == nil, "Uploads": c.Uploads == nil, "Branches": c.Branches == nil, "Remover": c.Remover == nil, "Transfers": c.Transfers == nil, "Origins": c.Origins == nil, "Keys": c.Keys == nil, "SBOMs": c.SBOMs == nil, "Comparisons": c.Comparisons == nil, "Diagnoses": c.Diagnoses == nil, "GitHub": c.GitHub == nil, "Webhooks": c.Webhooks == nil, "Secrets": c.Secrets == nil, "Retention": c.Retention == nil, "Usage": c.Usage == nil, "Parts": c.Parts == nil, "Logger": c.Logger == nil,
	} {
		if missing {
			return nil, fmt.Errorf("rest.Config.%s is missing", name)
		}
	}
	s := &Server{config: c, mux: http.NewServeMux(), limiter: requests.NewLimiter(c.Limits), ending: make(chan struct{})}
	s.SetNamespacesByAdmins(c.NamespacesByAdmins)
	for _, route := range routes() {
		s.mux.Handle(route.method+" "+apiPrefix+route.path, s.endpoint(route))
	}
	s.mux.HandleFunc("GET "+apiPrefix+"openapi.yaml", s.openAPI)
	s.mux.Handle("GET "+debugPrefix, s.endpoint(route{access: accessOperate, handle: (*call).profile}))
	if c.Metrics != nil {
		s.mux.Handle("GET /metrics", s.endpoint(route{access: accessObserve, handle: (*call).metrics}))
	}
	s.mux.HandleFunc("GET /healthz", s.health)
	s.mux.HandleFunc("GET /readyz", s.ready)

	compress, err := gzhttp.NewWrapper()
	if err != nil {
		return nil, err
	}
	compressed := compress(http.HandlerFunc(s.dispatch))
	s.handler = requests.Observed(c.Logger, s.fail, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.WantsEvents(r) { // must not wait in a compressor's buffer
			s.dispatch(w, r)
			return
		}
		compressed(w, r)
	}))
	return s, nil
}

// EndStreams ends the event streams, which would go on forever. Their clients
// connect again. Call it once, when the server is to stop.
func (s *Server) EndStreams() { close(s.ending) }

const (
	apiPrefix = "/api/"
	// altPrefix is where one of the published clients looks for the API.
	altPrefix = "/fa" + apiPrefix
	// doubledNamespaces is an old slip of another, which doubles the prefix of these alone.
	doubledNamespaces = "/api" + apiPrefix + "users/namespaces"
)

// RouteName names what a request is for, by the pattern of its route; "none" for other paths.
func (s *Server) RouteName(r *http.Request) string {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, doubledNamespaces):
		path = strings.TrimPrefix(path, "/api")
	case strings.HasPrefix(path, altPrefix):
		path = strings.TrimPrefix(path, "/fa")
	}
	probe := &http.Request{Method: r.Method, Host: r.Host, URL: &url.URL{Path: path}}
	_, pattern := s.mux.Handler(probe)
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return path
	}
	return "none"
}

// ServeHTTP serves both prefixes alike. No other way leads to an address: who keeps some of them
// from the outside, as /api/admin/, must know them all.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, doubledNamespaces) {
		http.StripPrefix("/api", s.handler).ServeHTTP(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, altPrefix) {
		http.StripPrefix("/fa", s.handler).ServeHTTP(w, r)
		return
	}
	s.handler.ServeHTTP(w, r)
}

// dispatch answers in JSON where the mux has nothing to call.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	handler, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r) // again, for the path's values
		return
	}
	probe := &statusProbe{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	err := catalog.Errorf(catalog.NotFound, "there is no endpoint %s %s; %sopenapi.yaml lists all endpoints", r.Method, r.URL.Path, apiPrefix)
	if probe.status == http.StatusMethodNotAllowed {
		allow := probe.header.Get("Allow")
		w.Header().Set("Allow", allow)
		s.fail(w, r, withStatus(probe.status, catalog.Errorf(catalog.Invalid, "method %s is not allowed here; allowed: %s", r.Method, allow)))
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
