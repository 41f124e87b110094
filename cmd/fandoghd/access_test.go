package main

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	v2 "github.com/distribution/distribution/v3/registry/api/v2"
	"github.com/getkin/kin-openapi/openapi3"

	"github.com/fandoghpaas/fandogh/gitserver/lfs"
)

// kind is who may use something.
type kind string

const (
	open      kind = "open"
	selfRead  kind = "self read"
	selfWrite kind = "self write"
	read      kind = "read"
	write     kind = "write"
	own       kind = "own"
	theAdmin  kind = "admin"
)

// who says what each kind of access tells each actor. The read token and the
// revoked one are the owner's.
var who = map[kind]map[string]verdict{
	open:      {"anonymous": allowed, "stranger": allowed, "reader": allowed, "writer": allowed, "owner": allowed, "admin": allowed, "read token": allowed, "revoked": allowed},
	selfRead:  {"anonymous": login, "stranger": allowed, "reader": allowed, "writer": allowed, "owner": allowed, "admin": allowed, "read token": allowed, "revoked": login},
	selfWrite: {"anonymous": login, "stranger": allowed, "reader": allowed, "writer": allowed, "owner": allowed, "admin": allowed, "read token": forbidden, "revoked": login},
	read:      {"anonymous": login, "stranger": hidden, "reader": allowed, "writer": allowed, "owner": allowed, "admin": allowed, "read token": allowed, "revoked": login},
	write:     {"anonymous": login, "stranger": hidden, "reader": forbidden, "writer": allowed, "owner": allowed, "admin": allowed, "read token": forbidden, "revoked": login},
	own:       {"anonymous": login, "stranger": hidden, "reader": forbidden, "writer": forbidden, "owner": allowed, "admin": allowed, "read token": forbidden, "revoked": login},
	theAdmin:  {"anonymous": login, "stranger": forbidden, "reader": forbidden, "writer": forbidden, "owner": forbidden, "admin": allowed, "read token": forbidden, "revoked": login},
}

// restAccess has a row for every route of the API.
var restAccess = map[string]kind{
	"GET /tokens": selfRead, "POST /tokens": open, "DELETE /tokens/{id}": selfWrite,
	"GET /accounts": selfRead, "PATCH /accounts": selfWrite, "GET /accounts/{user}": selfRead, "PATCH /accounts/{user}": selfWrite,
	"GET /users/namespaces": selfRead, "GET /users/namespaces/{namespace}": read, "POST /errors": open, "GET /version": open,
	"GET /keys": selfRead, "POST /keys": selfWrite, "DELETE /keys/{id}": selfWrite,
	"GET /namespaces": selfRead, "POST /namespaces": selfWrite,
	"GET /namespaces/{namespace}/members": read, "PUT /namespaces/{namespace}/members/{user}": own, "DELETE /namespaces/{namespace}/members/{user}": own,
	"GET /namespaces/{namespace}/usage":  read,
	"GET /namespaces/{namespace}/limits": read, "PATCH /admin/namespaces/{shared}/limits": theAdmin,
	"GET /images": read, "POST /images": write, "PATCH /images/{name}": own, "DELETE /images/{name}": own, "POST /images/{name}/transfer": own,
	"GET /images/{name}/versions": read, "POST /images/{name}/versions": write,
	"GET /images/{name}/versions/{version}": read, "DELETE /images/{name}/versions/{version}": own,
	"GET /images/{name}/versions/{version}/history": read, "GET /images/{name}/versions/{version}/origin": read, "GET /images/{name}/versions/{version}/sbom": read, "POST /images/{name}/versions/{version}/compare": write, "GET /signing-keys": selfRead,
	"POST /images/{name}/versions/{version}/cancel": write, "POST /images/{name}/versions/{version}/rebuild": write,
	"GET /images/{name}/versions/{version}/builds": read, "GET /images/{name}/versions/{version}/builds/{build}/log": read, "GET /images/{name}/versions/{version}/builds/{build}/diagnosis": read,
	"GET /events":                       read, // of a namespace; without one selfRead
	"GET /images/{name}/default-branch": read, "PUT /images/{name}/default-branch": own,
	"GET /images/{name}/github": read, "PUT /images/{name}/github": own, "DELETE /images/{name}/github": own, "POST /images/{name}/github/sync": write,
	"GET /images/{name}/webhooks": own, "POST /images/{name}/webhooks": own,
	"DELETE /images/{name}/webhooks/{id}": own, "GET /images/{name}/webhooks/{id}/deliveries": own,
	"GET /namespaces/{namespace}/webhooks": own, "POST /namespaces/{namespace}/webhooks": own,
	"DELETE /namespaces/{namespace}/webhooks/{id}": own, "GET /namespaces/{namespace}/webhooks/{id}/deliveries": own,
	"POST /images/{name}/webhooks/{id}/deliveries/{delivery}/redeliver": own, "POST /namespaces/{namespace}/webhooks/{id}/deliveries/{delivery}/redeliver": own,
	"GET /namespaces/{namespace}/secrets": read, "POST /namespaces/{namespace}/secrets": own, "DELETE /namespaces/{namespace}/secrets/{id}": own,
	"GET /namespaces/{namespace}/registries": read, "POST /namespaces/{namespace}/registries": own, "DELETE /namespaces/{namespace}/registries/{id}": own,
	"GET /admin/users": theAdmin, "POST /admin/users": theAdmin, "GET /admin/users/{user}": theAdmin, "PATCH /admin/users/{user}": theAdmin, "DELETE /admin/users/{user}": theAdmin,
	"GET /admin/users/{user}/tokens": theAdmin, "POST /admin/users/{user}/tokens": theAdmin, "DELETE /admin/users/{user}/tokens": theAdmin, "DELETE /admin/users/{user}/tokens/{id}": theAdmin,
	"GET /admin/users/{user}/keys": theAdmin, "POST /admin/users/{user}/keys": theAdmin, "DELETE /admin/users/{user}/keys/{id}": theAdmin,
	"GET /admin/namespaces": theAdmin, "DELETE /admin/namespaces/{shared}": theAdmin,
	"GET /images/{name}/retention": read, "GET /images/{name}/retention/preview": read, "GET /images/{name}/deleted-versions": read,
	"PUT /images/{name}/retention/{kind}": own, "DELETE /images/{name}/retention/{kind}": own,
	"GET /namespaces/{namespace}/retention": read, "PUT /namespaces/{namespace}/retention/{kind}": own, "DELETE /namespaces/{namespace}/retention/{kind}": own,
	"DELETE /admin/namespaces/{shared}/images/{image}/deleted-versions/{version}": theAdmin,
	"GET /admin/queue": theAdmin, "PUT /admin/queue/pause": theAdmin, "DELETE /admin/queue/pause": theAdmin,
	"GET /namespaces/{namespace}/former-images": read, "DELETE /admin/namespaces/{shared}/former-images/{image}": theAdmin,
	"GET /admin/registries": theAdmin, "POST /admin/registries": theAdmin, "DELETE /admin/registries/{id}": theAdmin,
	"GET /admin/usage": theAdmin, "GET /audit": theAdmin, "GET /admin/mirror": theAdmin, "DELETE /admin/mirror": theAdmin,
}

// registryAccess has a row for every method of every address of the registry. What it would delete is
// not there, which a reader may know.
var registryAccess = map[string]kind{
	"GET /v2/":                  selfRead,
	"GET /v2/_catalog":          selfRead,
	"GET /v2/{name}/tags/list":  read,
	"GET /v2/{name}/referrers/": read,
	"GET /v2/{name}/manifests/": read, "HEAD /v2/{name}/manifests/": read, "PUT /v2/{name}/manifests/": write, "DELETE /v2/{name}/manifests/": read,
	"GET /v2/{name}/blobs/": read, "HEAD /v2/{name}/blobs/": read, "DELETE /v2/{name}/blobs/": read,
	"POST /v2/{name}/blobs/uploads/": write,
	"GET /v2/{name}/blobs/uploads/x": write, "PATCH /v2/{name}/blobs/uploads/x": write, "PUT /v2/{name}/blobs/uploads/x": write,
	"DELETE /v2/{name}/blobs/uploads/x": write,
}

// lfsAccess has a row for every request of Git LFS.
var lfsAccess = map[string]kind{
	"POST objects/batch": read, // an upload is asked for in its body
	"GET objects/{oid}":  read, "HEAD objects/{oid}": read, "PUT objects/{oid}": write,
	"GET locks": read, "POST locks": write, "POST locks/verify": write, "POST locks/{id}/unlock": write,
}

// sshAccess has a row for every command, and for those of git and git-lfs.
var sshAccess = map[string]kind{
	"": selfRead, "help": selfRead, "images": selfRead,
	"versions": read, "builds": read, "logs": read, "cancel": write, "rebuild": write,
	"git-upload-pack": read, "git-receive-pack": write,
	"git-lfs-authenticate": read, "git-lfs-transfer": write, // to download, and to upload
	"default-branch": own, "signed-tags": own, "transfer": own, "github": read, "github-connect": own, "github-sync": write, "github-disconnect": own,
	"retention": read, "retention-preview": read, "retention-set": own, "retention-unset": own, "deleted-versions": read,
	"secrets": read, "secret-set": own, "secret-remove": own, "registries": read, "registry-add": own, "registry-remove": own,
}

// A request that is allowed must do nothing: it names what does not exist, and
// has no body.
func TestWhoMayDoWhat(t *testing.T) {
	s := newEnv(t)
	owner := s.actors["owner"]
	readToken, _ := owner.newToken("read")
	revoked, id := owner.newToken("write")
	owner.must("DELETE", "tokens/"+itoa(id), nil)
	withToken := func(token string) *actor { return &actor{env: s, name: "owner", token: token, key: newKey(t)} }
	actors := map[string]*actor{
		"anonymous": withToken(""), "stranger": s.actors["stranger"], "reader": s.actors["reader"], "writer": s.actors["writer"],
		"owner": owner, "admin": s.actors["boss"], "read token": withToken(readToken), "revoked": withToken(revoked),
	}
	t.Run("REST", func(t *testing.T) {
		routes := restRoutes(t)
		requireRows(t, routes, restAccess)
		for _, route := range routes {
			method, path, _ := strings.Cut(route, " ")
			path = "/api" + placeholder.ReplaceAllStringFunc(path, func(p string) string {
				value, known := map[string]string{"{namespace}": "team", "{name}": "nothing", "{version}": "1", "{build}": "1", "{id}": "999999", "{user}": "no-one", "{shared}": "nowhere", "{kind}": "versions", "{image}": "nothing", "{delivery}": "999999"}[p]
				if !known {
					t.Errorf("%s: nothing stands for %s", route, p)
				}
				return value
			})
			for name, want := range who[restAccess[route]] {
				if got := actors[name].http(method, path); got != want {
					t.Errorf("%s, %s: %s, want %s", route, name, got, want)
				}
			}
		}
		for name, want := range who[selfRead] {
			if got := actors[name].http("GET", "/api/events", "ACTIVE-NAMESPACE", ""); got != want {
				t.Errorf("events of all namespaces, %s: %s, want %s", name, got, want)
			}
		}
		for _, path := range []string{"/healthz", "/readyz", "/api/openapi.yaml"} {
			if got := actors["anonymous"].http("GET", path); got != allowed {
				t.Errorf("%s: %s", path, got)
			}
		}
	})
	t.Run("registry", func(t *testing.T) {
		routes := registryRoutes()
		requireRows(t, routes, registryAccess)
		for _, route := range routes {
			method, path, _ := strings.Cut(route, " ")
			path = strings.ReplaceAll(path, "{name}", "team/app")
			if strings.HasSuffix(path, "/") && !strings.HasSuffix(path, "uploads/") && path != "/v2/" {
				path += "sha256:" + strings.Repeat("0", 64)
			}
			for name, want := range who[registryAccess[route]] {
				if got := actors[name].http(method, path); got != want {
					t.Errorf("%s, %s: %s, want %s", route, name, got, want)
				}
			}
		}
	})
	t.Run("LFS", func(t *testing.T) {
		requireRows(t, lfs.Routes(), lfsAccess)
		for _, route := range lfs.Routes() {
			method, path, _ := strings.Cut(route, " ")
			path = "/team/app.git/info/lfs/" + strings.NewReplacer("{oid}", strings.Repeat("0", 64), "{id}", "999999").Replace(path)
			for name, want := range who[lfsAccess[route]] {
				if got := actors[name].http(method, path); got != want {
					t.Errorf("%s, %s: %s, want %s", route, name, got, want)
				}
			}
		}
		upload := map[string]any{"operation": "upload", "objects": []any{}}
		for name, want := range who[write] {
			if got := actors[name].post("/team/app.git/info/lfs/objects/batch", upload); got != want {
				t.Errorf("a batch of uploads, %s: %s, want %s", name, got, want)
			}
		}
	})
	t.Run("SSH", func(t *testing.T) {
		commands := sshCommands(t, owner)
		requireRows(t, slices.Collect(maps.Keys(commands)), sshAccess)
		for command, line := range commands {
			for _, name := range []string{"anonymous", "stranger", "reader", "writer", "owner", "admin"} { // SSH knows no tokens
				want := who[sshAccess[command]][name]
				if got, out := actors[name].ssh(line); got != want {
					t.Errorf("%q, %s: %s, want %s: %s", line, name, got, want, out)
				}
			}
		}
	})
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// requireRows compares what is served with what the table has.
func requireRows(t *testing.T, served []string, rows map[string]kind) {
	t.Helper()
	seen := map[string]bool{}
	for _, name := range served {
		if seen[name] = true; rows[name] == "" {
			t.Errorf("%q has no row that says who may use it", name)
		}
	}
	for name := range rows {
		if !seen[name] {
			t.Errorf("%q has a row but is not served", name)
		}
	}
}

// restRoutes reads the description, which another test compares with the routes.
func restRoutes(t *testing.T) (routes []string) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../catalog/rest/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			routes = append(routes, method+" "+path)
		}
	}
	return routes
}

// registryRoutes lists what the registry's library serves, and what we add.
func registryRoutes() []string {
	routes := []string{"GET /v2/{name}/referrers/"}
	paths := map[string]string{
		v2.RouteNameBase: "/v2/", v2.RouteNameCatalog: "/v2/_catalog", v2.RouteNameTags: "/v2/{name}/tags/list", v2.RouteNameManifest: "/v2/{name}/manifests/",
		v2.RouteNameBlob: "/v2/{name}/blobs/", v2.RouteNameBlobUpload: "/v2/{name}/blobs/uploads/", v2.RouteNameBlobUploadChunk: "/v2/{name}/blobs/uploads/x",
	}
	for _, route := range v2.APIDescriptor.RouteDescriptors {
		for _, method := range route.Methods {
			path, known := paths[route.Name]
			if !known {
				path = route.Name
			}
			routes = append(routes, method.Method+" "+path)
		}
		if route.Name == v2.RouteNameManifest || route.Name == v2.RouteNameBlob {
			routes = append(routes, "HEAD "+paths[route.Name])
		}
	}
	return routes
}

// sshCommands reads what help lists, each command with how to type it.
func sshCommands(t *testing.T, a *actor) map[string]string {
	t.Helper()
	commands := map[string]string{
		"": "", "help": "help", "git-upload-pack": "git-upload-pack team/app", "git-receive-pack": "git-receive-pack team/app",
		"git-lfs-authenticate": "git-lfs-authenticate team/app download", "git-lfs-transfer": "git-lfs-transfer team/app upload",
	}
	_, help := a.ssh("help")
	// A command's help is two spaces or more behind its arguments.
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z-]+)( \S.*?)?  +\S`).FindAllStringSubmatch(help, -1) {
		usage := regexp.MustCompile(`\[[^]]*\]`).ReplaceAllString(m[2], "")
		commands[m[1]] = m[1] + strings.NewReplacer("NAMESPACE", "team", "IMAGE", "team/nothing", "VERSION", "1").Replace(usage)
	}
	return commands
}

// What is revoked is refused at once, on every interface and on connections that are open.
func TestRevokedAtOnce(t *testing.T) {
	s := newEnv(t)
	owner, writer := s.actors["owner"], s.actors["writer"]
	withPassword := &actor{env: s, name: "writer", token: "password-of-writer"}
	expect := func(what string, rest, registry, bySSH verdict) {
		t.Helper()
		if got := writer.http("GET", "/api/images"); got != rest {
			t.Errorf("%s: REST: %s, want %s", what, got, rest)
		}
		for _, a := range []*actor{writer, withPassword} {
			want := registry
			if registry == login && a == withPassword {
				want = allowed // a token's end is not the password's
			}
			if got := a.http("GET", "/v2/team/app/tags/list"); got != want {
				t.Errorf("%s: registry: %s, want %s", what, got, want)
			}
		}
		if got, out := writer.ssh("versions team/app"); got != bySSH {
			t.Errorf("%s: SSH: %s, want %s: %s", what, got, bySSH, out)
		}
	}
	expect("a member", allowed, allowed, allowed)
	events := writer.follow("/api/events", "team")
	owner.must("DELETE", "namespaces/team/members/writer", nil)
	expect("no member any more", hidden, hidden, hidden)
	s.mustEndSilently(owner, events)

	owner.must("PUT", "namespaces/team/members/writer", map[string]any{"role": "read"})
	expect("a reader", allowed, allowed, allowed)
	if got, _ := writer.ssh("git-receive-pack team/app"); got != forbidden {
		t.Errorf("a reader pushes by SSH: %s", got)
	}

	var keys []struct{ ID int64 }
	if err := json.Unmarshal(writer.must("GET", "keys", nil), &keys); err != nil || len(keys) != 1 {
		t.Fatalf("%v: %v", keys, err)
	}
	writer.must("DELETE", "keys/"+itoa(keys[0].ID), nil)
	expect("without key, on an open connection", allowed, allowed, login)
	writer.conn = nil
	expect("without key", allowed, allowed, login)

	events = writer.follow("/api/events", "team")
	everything := writer.follow("/api/events", "")
	var tokens []struct{ ID int64 }
	if err := json.Unmarshal(writer.must("GET", "tokens", nil), &tokens); err != nil || len(tokens) != 1 {
		t.Fatalf("%v: %v", tokens, err)
	}
	writer.must("DELETE", "tokens/"+itoa(tokens[0].ID), nil)
	expect("without token", login, login, login)
	s.mustEndSilently(owner, events)
	s.mustEndSilently(owner, everything)

	if _, err := s.daemon.admin("another-password", "user", "passwd", "writer", "--password-stdin"); err != nil {
		t.Fatal(err)
	}
	if got := withPassword.http("GET", "/v2/"); got != login {
		t.Errorf("the old password: %s", got)
	}
}

// A disabled user is so at once, on every interface, by whatever proves them, and on what is open.
func TestDisabledAtOnce(t *testing.T) {
	s := newEnv(t)
	writer := s.actors["writer"]
	withPassword := &actor{env: s, name: "writer", token: "password-of-writer"}
	expect := func(what string, want verdict) {
		t.Helper()
		for path, a := range map[string]*actor{"/api/images": writer, "/v2/team/app/tags/list": writer, "/v2/": withPassword} {
			if got := a.http("GET", path); got != want {
				t.Errorf("%s: %s: %s, want %s", what, path, got, want)
			}
		}
		if got, out := writer.ssh("versions team/app"); got != want {
			t.Errorf("%s: SSH: %s, want %s: %s", what, got, want, out)
		}
	}
	expect("before", allowed)
	events := writer.follow("/api/events", "team")
	everything := writer.follow("/api/events", "")
	if _, err := s.daemon.admin("", "user", "disable", "writer"); err != nil {
		t.Fatal(err)
	}
	expect("disabled, with an open connection", login)
	writer.conn = nil
	expect("disabled", login)
	s.mustEndSilently(s.actors["owner"], events)
	s.mustEndSilently(s.actors["owner"], everything)
	if _, err := s.daemon.admin("", "user", "enable", "writer"); err != nil {
		t.Fatal(err)
	}
	writer.conn = nil
	expect("enabled", allowed)
}

// follow opens an event stream, of a namespace unless empty, and returns its
// lines, closed with the stream.
func (a *actor) follow(path, namespace string) <-chan string {
	a.env.t.Helper()
	r, err := http.NewRequestWithContext(a.env.t.Context(), http.MethodGet, "http://"+a.env.daemon.addresses.HTTP+path, nil)
	if err != nil {
		a.env.t.Fatal(err)
	}
	r.Header.Set("Authorization", "JWT "+a.token)
	r.Header.Set("ACTIVE-NAMESPACE", namespace)
	r.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		a.env.t.Fatalf("%s: %v, %v", path, resp, err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		defer resp.Body.Close() //nolint:errcheck // read only
		for in := bufio.NewScanner(resp.Body); in.Scan(); {
			lines <- in.Text()
		}
	}()
	return lines
}

// mustEndSilently makes an event and wants a stream to end without it.
func (e *env) mustEndSilently(owner *actor, lines <-chan string) {
	e.t.Helper()
	owner.must("POST", "images", map[string]any{"name": "short-lived"})
	owner.must("DELETE", "images/short-lived", nil)
	select {
	case line, open := <-lines:
		if open {
			e.t.Fatalf("a revoked stream says %q", line)
		}
	case <-time.After(timeout):
		e.t.Fatal("a revoked stream does not end")
	}
}
