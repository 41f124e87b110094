package rest_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

type wireVersion struct {
	Version, State, Date string
	Size                 *int64
}

type wireImage struct {
	Name, Namespace string
	Owner           int64
	Last            *wireVersion `json:"last_version"`
	Created         string       `json:"created_at"`
}

func TestImages(t *testing.T) {
	w := newEnv(t)
	if r := w.do("alice", "GET", "/api/images", nil).expect(http.StatusOK); strings.TrimSpace(string(r.body)) != "[]" {
		t.Errorf("no images are %s", r.body)
	}
	r := w.do("alice", "POST", "/api/images", map[string]string{"name": "My_App"}).expect(http.StatusOK)
	if m := into[map[string]any](r); m["message"] != "Image created successfully" || m["contents"].(map[string]any)["message"] != m["message"] {
		t.Errorf("created: %s", r.body)
	}
	w.do("alice", "POST", "/fa/api/images", map[string]string{"name": "my_app"}).fault(http.StatusConflict, "name")

	w.version("other", "1.0", catalog.OutcomeBuilt)
	w.version("other", "2.0", catalog.OutcomeUserError)
	images := into[[]wireImage](w.do("alice", "GET", "/fa/api/images", nil).expect(http.StatusOK))
	alice := w.users["alice"].ID
	testkit.Same(t, "images", images, []wireImage{
		{Name: "other", Namespace: "alice", Owner: alice, Last: &wireVersion{Version: "2.0", State: "BUILD_FAILED", Size: new(int64)}},
		{Name: "My_App", Namespace: "alice", Owner: alice},
	}, cmpopts.IgnoreFields(wireImage{}, "Created"), cmpopts.IgnoreFields(wireVersion{}, "Date"))
	if r := w.do("bob", "GET", "/api/images", nil); strings.Contains(string(r.body), "other") {
		t.Errorf("bob sees %s", r.body)
	}
}

func TestDefaultBranch(t *testing.T) {
	w := newEnv(t)
	const path = "/api/images/app/default-branch"
	choose := func(user, branch string) reply {
		return w.do(user, "PUT", path, map[string]string{"branch": branch})
	}
	w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}).expect(http.StatusOK)
	w.do("alice", "GET", path, nil).expect(http.StatusNotFound) // nothing was pushed yet
	choose("alice", "main").expect(http.StatusNotFound)
	body, contentType := form(t, version("1.0"), source(zipFiles(t, "Dockerfile", "FROM scratch\n")))
	w.do("alice", "POST", "/api/images/app/versions", body, contentType).expect(http.StatusOK)

	got := into[api.DefaultBranch](choose("alice", "develop").expect(http.StatusOK))
	if got.Branch != "develop" || got.Exists || !strings.Contains(got.Message, "does not exist yet") {
		t.Errorf("chosen: %+v", got)
	}
	if again := into[api.DefaultBranch](w.do("alice", "GET", path, nil).expect(http.StatusOK)); again != got {
		t.Errorf("chosen: %+v, then %+v", got, again)
	}
	choose("alice", "a..b").fault(http.StatusBadRequest, "branch")
	choose("alice", "").fault(http.StatusBadRequest, "branch")

	w.must(w.store.SetMember(t.Context(), "alice", w.users["bob"].ID, catalog.RoleWrite))
	w.do("bob", "PUT", path, map[string]string{"branch": "main"}, header("ACTIVE-NAMESPACE", "alice")).expect(http.StatusForbidden)
	w.do("bob", "GET", path, nil, header("ACTIVE-NAMESPACE", "alice")).expect(http.StatusOK)
}

func TestImageNames(t *testing.T) {
	w := newEnv(t)
	for _, name := range []string{"", "a b", "a/b", "../a", "-a", "a-", "é", "a\x00b", "a.b", strings.Repeat("a", 200), "a___b"} {
		w.do("alice", "POST", "/api/images", map[string]string{"name": name}).fault(http.StatusBadRequest, "name")
	}
}

func TestDeleteImage(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.version("app", "2.0", catalog.OutcomeUserError)
	busy := w.version("app", "3.0", "")
	w.do("alice", "DELETE", "/api/images/app", nil).fault(http.StatusConflict, "detail")
	w.finish(busy, catalog.OutcomeBuilt)

	r := w.do("alice", "DELETE", "/api/images/APP", nil).expect(http.StatusOK)
	if m := into[map[string]any](r); m["message"] != "Image Deleted Successfully" || m["status_code"] != 204.0 {
		t.Errorf("deleted: %s", r.body)
	}
	if !slices.Equal(w.remover.removed, []string{"alice/app: 3"}) {
		t.Errorf("removed %v", w.remover.removed)
	}
	w.do("alice", "DELETE", "/api/images/app", nil).fault(http.StatusNotFound, "detail")

	w.version("app", "1.0", catalog.OutcomeBuilt)
	r = w.do("alice", "DELETE", "/api/images/app", nil, header("Prefer", "return=minimal")).expect(http.StatusNoContent)
	if len(r.body) != 0 {
		t.Errorf("204 with a body: %s", r.body)
	}
}

func TestVersions(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.version("app", "2.0", catalog.OutcomeUserError)
	w.version("app", "3.0", catalog.OutcomeTimeout)
	w.version("app", "4.0", "")
	date := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	for query, want := range map[string][]string{
		"":                               {"4.0 BUILDING", "3.0 FAILED", "2.0 BUILD_FAILED", "1.0 BUILT"},
		"?state=BUILT":                   {"1.0 BUILT"},
		"?state=FAILED":                  {"3.0 FAILED"},
		"?state=FAILED&state=BUILDING":   {"4.0 BUILDING", "3.0 FAILED"},
		"?state=PENDING":                 {},
		"?limit=2":                       {"4.0 BUILDING", "3.0 FAILED"},
		"?limit=1&state=BUILD_FAILED":    {"2.0 BUILD_FAILED"},
		"?state=BUILT&after=99999999999": {"1.0 BUILT"},
	} {
		versions := into[[]wireVersion](w.do("alice", "GET", "/api/images/app/versions"+query, nil).expect(http.StatusOK))
		got := make([]string, 0, len(versions))
		for _, v := range versions {
			got = append(got, v.Version+" "+v.State)
			if v.Size == nil || (*v.Size != 0) != (v.State == "BUILT") {
				t.Errorf("%s %s has size %v", v.Version, v.State, v.Size)
			}
			if !date.MatchString(v.Date) {
				t.Errorf("date %q", v.Date)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
	w.do("alice", "GET", "/api/images/app/versions?state=built", nil).fault(http.StatusBadRequest, "state")
	w.do("alice", "GET", "/api/images/nix/versions", nil).fault(http.StatusNotFound, "detail")
	for _, query := range []string{"limit=0", "limit=x", "limit=501", "after=0", "after=x"} {
		field, _, _ := strings.Cut(query, "=")
		w.do("alice", "GET", "/api/images/app/versions?"+query, nil).fault(http.StatusBadRequest, field)
	}
}

func TestPages(t *testing.T) {
	w := newEnv(t)
	for n := range 5 {
		w.version("app", fmt.Sprint(n), catalog.OutcomeBuilt)
	}
	var got []string
	const base = "/fa/api/images/app/versions"
	for path := base + "?state=BUILT&limit=2"; path != ""; {
		r := w.do("alice", "GET", path, nil).expect(http.StatusOK)
		for _, v := range into[[]wireVersion](r) {
			got = append(got, v.Version)
		}
		if path = ""; r.header.Get("Link") != "" {
			link, rel, _ := strings.Cut(r.header.Get("Link"), ">")
			if rel != `; rel="next"` || !strings.Contains(link, "state=BUILT") {
				t.Fatalf("Link: %s", r.header.Get("Link"))
			}
			path = base + strings.TrimPrefix(link, "<") // relative to the address asked for
		}
	}
	if !slices.Equal(got, []string{"4", "3", "2", "1", "0"}) {
		t.Errorf("pages give %v", got)
	}
}

func TestVersionDetail(t *testing.T) {
	w := newEnv(t)
	w.version("App", "1.0", catalog.OutcomeUserError)
	w.version("App", "1.0", catalog.OutcomeBuilt)
	d := into[map[string]any](w.do("alice", "GET", "/api/images/app/versions/1.0", nil).expect(http.StatusOK))
	if d["reference"] != "registry.test:8080/alice/app:1.0" || d["state"] != "BUILT" || d["size"] != 1234.0 || d["digest"] == "" {
		t.Errorf("detail %v", d)
	}
	builds := d["builds"].([]any)
	if len(builds) != 2 || builds[0].(map[string]any)["number"] != 2.0 || builds[1].(map[string]any)["outcome"] != "user_error" {
		t.Errorf("builds %v", builds)
	}
	if d["platform"] != "linux/amd64" || len(d["platforms"].([]any)) != 2 || len(d["layers"].([]any)) != 1 || d["config"].(map[string]any)["env"].([]any)[0] != "A=b" {
		t.Errorf("content %v %v %v", d["platform"], d["layers"], d["config"])
	}
	steps := builds[0].(map[string]any)["steps"].([]any)
	if len(steps) != 1 || steps[0].(map[string]any)["duration_ms"].(float64) < 900 {
		t.Errorf("steps %v", steps)
	}
}

func TestDeleteVersion(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	busy := w.version("app", "2.0", "")
	w.do("alice", "DELETE", "/api/images/app/versions/2.0", nil).fault(http.StatusConflict, "detail")
	w.finish(busy, catalog.OutcomeBuilt)
	w.do("alice", "DELETE", "/api/images/app/versions/1.0", nil).expect(http.StatusOK)
	w.do("alice", "DELETE", "/api/images/app/versions/1.0", nil).fault(http.StatusNotFound, "detail")
	if !slices.Equal(w.remover.removed, []string{"alice/app:1.0 1"}) {
		t.Errorf("removed %v", w.remover.removed)
	}
}

func TestCancelAndRebuild(t *testing.T) {
	w := newEnv(t)
	build := w.version("app", "1.0", "")
	const version = "/api/images/app/versions/1.0"
	w.do("alice", "POST", version+"/cancel", nil).expect(http.StatusOK)
	if b, err := w.store.Build(t.Context(), build.ID); err != nil || !b.Cancelled {
		t.Errorf("build %+v, %v", b, err)
	}
	w.do("alice", "POST", version+"/rebuild", nil).expect(http.StatusOK) // attaches: still building
	w.finish(build, catalog.OutcomeCancelled)
	w.do("alice", "POST", version+"/cancel", nil).fault(http.StatusConflict, "detail")
	w.version("app", "2.0", catalog.OutcomeUserError)
	b := into[map[string]any](w.do("alice", "POST", version+"/rebuild", nil).expect(http.StatusOK))
	if b["number"] != 2.0 || b["state"] != "PENDING" || b["trigger"] != "rebuild" {
		t.Errorf("rebuild %v", b)
	}
	if options := b["options"].([]any); len(options) != 0 {
		t.Errorf("options of a rebuild without any: %v", options)
	}
	const failed = "/api/images/app/versions/2.0"
	for body, field := range map[string]string{`{"options": "no-cache"}`: "options", `{"options": ["detach"]}`: "options", `{"options": ["build-arg=BUILDKIT_X=1"]}`: "build-arg", `{"args": {}}`: "args", `[]`: "body"} {
		w.do("alice", "POST", failed+"/rebuild", body).fault(http.StatusBadRequest, field)
	}
	b = into[map[string]any](w.do("alice", "POST", failed+"/rebuild", `{"options": ["no-cache", "build-arg=DEBUG=1"]}`).expect(http.StatusOK))
	if got := fmt.Sprint(b["options"]); got != "[build-arg=DEBUG=1 no-cache]" {
		t.Errorf("asked for with %s", got)
	}
	// A reader is not told the values.
	if err := w.store.SetMember(t.Context(), "alice", w.users["bob"].ID, catalog.RoleRead); err != nil {
		t.Fatal(err)
	}
	read := into[map[string]any](w.do("bob", "GET", failed, nil, header("ACTIVE-NAMESPACE", "alice")).expect(http.StatusOK))
	if got := fmt.Sprint(read["builds"].([]any)[0].(map[string]any)["options"]); got != "[build-arg=DEBUG no-cache]" {
		t.Errorf("a reader is told %s", got)
	}
	w.do("alice", "POST", "/api/images/app/versions/9/cancel", nil).fault(http.StatusNotFound, "detail")
}

// What the registry lost must not hide what the catalog knows.
func TestVersionDetailWithoutImage(t *testing.T) {
	w := newEnv(t)
	w.version("lost", "1.0", catalog.OutcomeBuilt)
	d := into[map[string]any](w.do("alice", "GET", "/api/images/lost/versions/1.0", nil).expect(http.StatusOK))
	if d["digest"] != builtDigest || d["layers"] != nil {
		t.Errorf("detail %v", d)
	}
	w.do("alice", "GET", "/api/images/lost/versions/1.0/history", nil).fault(http.StatusNotFound, "detail")
}

func TestHistory(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.version("app", "2.0", catalog.OutcomeUserError)
	h := into[[]map[string]any](w.do("alice", "GET", "/api/images/app/versions/1.0/history", nil).expect(http.StatusOK))
	if len(h) != 1 || h[0]["created_by"] != "COPY . ." || h[0]["size"] != 7.0 {
		t.Errorf("history %v", h)
	}
	w.do("alice", "GET", "/api/images/app/versions/2.0/history", nil).fault(http.StatusConflict, "detail")
}
