//go:build linux

package buildkitd

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

// What BuildKit itself fetches comes from no address of this machine and of no private
// network, however a Dockerfile or a server names it.
func TestSourcesReachNoPrivateAddress(t *testing.T) {
	buildkittest.Outside(t)
	port, reached := listen(t)
	own := buildkittest.OwnAddress(t)
	here := func(address string) string { return fmt.Sprintf("%s:%d", address, port) }
	astray := env.ServeOutside(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/") {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+here(own)+`/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, "http://"+here("127.0.0.1")+r.URL.RequestURI(), http.StatusFound)
	}))
	registry := env.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+here(own)+`/token",service="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	for name, test := range map[string]struct{ dockerfile, refused string }{
		"file, user name with an @":    {"ADD http://a@b@" + here("127.0.0.1") + "/a /x", here("127.0.0.1")},
		"file, redirected":             {"ADD http://" + astray + "/a /x", here("127.0.0.1")},
		"file, the machine's address":  {"ADD http://" + here(own) + "/a /x", here(own)},
		"file, a name of this machine": {"ADD http://" + here("localhost") + "/a /x", here("127.0.0.1")},
		"file, no address":             {"ADD http://" + here("0.0.0.0") + "/a /x", here("0.0.0.0")},
		"file, IPv4 in IPv6":           {"ADD http://" + here("[::ffff:127.0.0.1]") + "/a /x", here("127.0.0.1")},
		"file, the router":             {"ADD http://" + here(env.manager.network.router().String()) + "/a /x", here(env.manager.network.router().String())},
		"file, the link's other end":   {"ADD http://" + here(env.manager.network.machine().String()) + "/a /x", here(env.manager.network.machine().String())},
		"file, a private network":      {"ADD http://" + buildkittest.OutsidePrivate + ":8080/ /x", buildkittest.OutsidePrivate + ":8080"},
		"file, a metadata service":     {"ADD http://169.254.169.254/latest/meta-data/ /x", "169.254.169.254:80"},
		"git by HTTP":                  {"ADD http://" + here("127.0.0.1") + "/repo.git /x", here("127.0.0.1")},
		"git by HTTP, a name":          {"ADD http://" + here("localhost") + "/repo.git /x", here("127.0.0.1")},
		"git by HTTP, redirected":      {"ADD http://" + astray + "/repo.git /x", here("127.0.0.1")},
		"git by its own protocol":      {"ADD git://" + here("127.0.0.1") + "/repo.git /x", here("127.0.0.1")},
		"image":                        {"FROM " + here("localhost") + "/ali/private:v1", here("127.0.0.1")},
		"image, no address":            {"FROM " + here("0.0.0.0") + "/ali/private:v1", here("0.0.0.0")},
		"image, copied from":           {"COPY --from=" + here("127.0.0.9") + "/ali/private:v1 / /", here("127.0.0.9")},
		"image, its registry's tokens": {"FROM " + registry + "/ali/private:v1", here(own)},
	} {
		t.Run(name, func(t *testing.T) {
			text := "FROM scratch\n" + test.dockerfile + "\nCOPY Dockerfile /\n"
			failure, log := env.SolveError(t, env.Request("ann", "sources", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": text})))
			if n := reached.Load(); n > 0 {
				t.Errorf("%d connections were made to this machine", n)
			}
			if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, test.refused) || !strings.Contains(failure.Message, "builder.network.allow") {
				t.Errorf("%s: %s\n%s", failure.Outcome, failure.Message, log)
			}
		})
	}
}
