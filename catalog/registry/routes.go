package registry

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	v2 "github.com/distribution/distribution/v3/registry/api/v2"
	"github.com/gorilla/mux"

	"github.com/fandoghpaas/fandogh/catalog"
)

// route is one row of what the registry serves.
type route struct {
	address string // its name, which the library has given or addressReferrers
	method  string // GET is HEAD too
	allow   check
	handle  handler
}

var routes = []route{
	{v2.RouteNameBase, http.MethodGet, (*call).mayLogIn, (*call).answer},
	{v2.RouteNameCatalog, http.MethodGet, (*call).mayList, (*call).listRepositories},
	{v2.RouteNameTags, http.MethodGet, (*call).mayRead, (*call).listTags},
	{addressReferrers, http.MethodGet, (*call).mayRead, (*call).listReferrers},

	{v2.RouteNameManifest, http.MethodGet, (*call).mayPull, (*call).pullManifest},
	{v2.RouteNameManifest, http.MethodPut, (*call).mayPutManifest, (*call).putManifest},
	{v2.RouteNameManifest, http.MethodDelete, (*call).mayDeleteManifest, (*call).deleteManifest},

	{v2.RouteNameBlob, http.MethodGet, (*call).mayPull, (*call).download},
	{v2.RouteNameBlob, http.MethodDelete, (*call).mayPull, (*call).refuseDeletion},

	{v2.RouteNameBlobUpload, http.MethodPost, (*call).mayPush, (*call).beginUpload},
	{v2.RouteNameBlobUploadChunk, http.MethodGet, (*call).mayPush, (*call).continueUpload},
	{v2.RouteNameBlobUploadChunk, http.MethodPatch, (*call).mayPush, (*call).continueUpload},
	{v2.RouteNameBlobUploadChunk, http.MethodPut, (*call).mayPush, (*call).continueUpload},
	{v2.RouteNameBlobUploadChunk, http.MethodDelete, (*call).mayPush, (*call).continueUpload},
}

// call is one request.
type call struct {
	registry *Registry
	w        http.ResponseWriter
	req      *http.Request // a copy, which handlers change for the app
	id       catalog.Identity
	vars     map[string]string // what the path names
	image    catalog.Image     // that the path names and the route's check found; without an ID when it does not exist yet
	start    time.Time
}

// check refuses a call that is not allowed, and returns the image that the path names, if it
// names one. It changes neither the request nor what is stored.
type check func(*call) (catalog.Image, error)

// handler serves a call; it answers, or returns an error before it has.
type handler func(*call) error

// addresses recognises requests with the same patterns as the app behind us, so
// that what was authorized is what is done.
var addresses = sync.OnceValue(v2.Router)

// The library has no referrers.
const addressReferrers = "referrers"

var referrersPath = regexp.MustCompile(`^/v2/([^/]+/[^/]+)/referrers/([^/]+)$`)

// addressOf returns the name of a request's address, and what the path names. Errors: NotFound.
func addressOf(req *http.Request) (address string, vars map[string]string, err error) {
	if m := referrersPath.FindStringSubmatch(req.URL.Path); m != nil {
		return addressReferrers, map[string]string{"name": m[1], "digest": m[2]}, nil
	}
	var match mux.RouteMatch
	if !addresses().Match(req, &match) || match.MatchErr != nil {
		return "", nil, catalog.Errorf(catalog.NotFound, "this path does not exist in the registry")
	}
	return match.Route.GetName(), match.Vars, nil
}

// RouteName names what a request is for, by one of the registry's few addresses: "manifest", "blob"; "none" for other paths.
func RouteName(req *http.Request) string {
	name, _, err := addressOf(req)
	if err != nil {
		return "none"
	}
	return name
}

// routeOf returns a request's route, and what the path names. Errors: NotFound; what lists the
// address's methods when this is none of them.
func routeOf(req *http.Request) (route, map[string]string, error) {
	address, vars, err := addressOf(req)
	if err != nil {
		return route{}, nil, err
	}
	var allowed []string
	for _, row := range routes {
		if row.address != address {
			continue
		}
		methods := []string{row.method}
		if row.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		if slices.Contains(methods, req.Method) {
			return row, vars, nil
		}
		allowed = append(allowed, methods...)
	}
	allow := strings.Join(allowed, ", ")
	return route{}, nil, &methodError{fmt.Sprintf("method %s is not allowed here; allowed: %s", req.Method, allow), allow}
}
