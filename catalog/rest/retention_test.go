package rest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func TestRetention(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.version("app", "2.0", catalog.OutcomeBuilt)
	shown := func(path string) string {
		var parts []string
		for _, r := range into[[]api.RetentionRule](w.do("alice", "GET", path, nil).expect(http.StatusOK)) {
			parts = append(parts, r.Kind+": "+catalog.RetentionRule{KeepLast: r.KeepLast, KeepDays: r.KeepDays, Keep: r.Keep}.String()+" ("+r.From+")")
		}
		return strings.Join(parts, ", ")
	}
	want := func(path, want string) {
		t.Helper()
		if got := shown(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	const image, namespace = "/api/images/app/retention", "/api/namespaces/alice/retention"
	want(image, "versions: all (installation), branches: all (installation)")
	w.do("alice", "PUT", namespace+"/branches", map[string]any{"keep_days": 7}).expect(http.StatusOK)
	w.do("alice", "PUT", image+"/versions", map[string]any{"keep_last": 1, "keep": "v*, stable"}).expect(http.StatusOK)
	want(image, "versions: the last 1, those that match v* stable (image), branches: those of the last 7 days (namespace)")
	want(namespace, "versions: all (installation), branches: those of the last 7 days (namespace)")
	for _, bad := range []struct {
		path, field string
		body        map[string]any
	}{
		{image + "/tags", "kind", map[string]any{"keep_last": 1}},
		{image + "/versions", "keep", map[string]any{}},
		{image + "/versions", "keep", map[string]any{"keep": "[", "keep_last": 1}},
		{image + "/versions", "keep_last", map[string]any{"keep_last": -1}},
		{namespace + "/versions", "keep_days", map[string]any{"keep_days": 1_000_000}},
	} {
		w.do("alice", "PUT", bad.path, bad.body).fault(http.StatusBadRequest, bad.field)
	}
	w.do("alice", "PUT", "/api/images/nothing/retention/versions", map[string]any{"keep_last": 1}).expect(http.StatusNotFound)

	preview := func(query string) string {
		var parts []string
		for _, v := range into[[]api.RetainedVersion](w.do("alice", "GET", image+"/preview"+query, nil).expect(http.StatusOK)) {
			does := "goes"
			if v.Keeps {
				does = "stays"
			}
			parts = append(parts, v.Version+" "+does+": "+v.Reason)
		}
		return strings.Join(parts, "\n")
	}
	for query, want := range map[string]string{
		"":                                    "2.0 stays: it is one of the last 1\n1.0 goes: the image's rule for versions keeps the last 1, those that match v* stable",
		"?kind=versions&keep=1.*&keep_last=0": "2.0 stays: it is the newest\n1.0 stays: it matches 1.*",
		"?kind=branches&keep_last=1":          "2.0 stays: it is one of the last 1\n1.0 goes: the image's rule for versions keeps the last 1, those that match v* stable",
	} {
		if got := preview(query); got != want {
			t.Errorf("preview%s:\n%s\nwant:\n%s", query, got, want)
		}
	}
	w.do("alice", "GET", image+"/preview?kind=all", nil).fault(http.StatusBadRequest, "kind")
	w.do("alice", "GET", image+"/preview?kind=versions&keep_last=x", nil).fault(http.StatusBadRequest, "keep_last")
	w.do("alice", "GET", image+"/preview?kind=versions", nil).fault(http.StatusBadRequest, "keep")

	w.do("alice", "DELETE", image+"/versions", nil).expect(http.StatusOK)
	w.do("alice", "DELETE", image+"/versions", nil).expect(http.StatusNotFound)
	want(image, "versions: all (installation), branches: those of the last 7 days (namespace)")
}

func TestDeletedVersions(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.do("alice", "DELETE", "/api/images/app/versions/1.0", nil).expect(http.StatusOK)
	deleted := into[[]api.DeletedVersion](w.do("alice", "GET", "/api/images/app/deleted-versions", nil).expect(http.StatusOK))
	if len(deleted) != 1 || deleted[0].Version != "1.0" || deleted[0].Digest != builtDigest || deleted[0].Reason != "" || deleted[0].DeletedAt.IsZero() {
		t.Errorf("deleted: %+v", deleted)
	}
	const path = "/api/admin/namespaces/alice/images/app/deleted-versions/1.0"
	w.do("alice", "DELETE", path, nil).expect(http.StatusForbidden)
	w.do("root", "DELETE", path, nil).expect(http.StatusOK)
	w.do("root", "DELETE", path, nil).expect(http.StatusNotFound)
	if left := into[[]api.DeletedVersion](w.do("alice", "GET", "/api/images/app/deleted-versions", nil).expect(http.StatusOK)); len(left) != 0 {
		t.Errorf("after it was freed: %+v", left)
	}
}

// A log that was removed for its age is said to be gone, in every way that it may be asked for.
func TestLogThatWasRemoved(t *testing.T) {
	w := newEnv(t)
	b := w.version("app", "1.0", catalog.OutcomeBuilt, "a line")
	w.must(w.store.NoteLogsRemoved(t.Context(), []int64{b.ID}, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)))
	const says = "the log of build 1 of alice/app:1.0 was removed on 2030-01-02"
	for _, accept := range []string{"text/plain", "text/event-stream"} {
		r := w.do("alice", "GET", "/api/images/app/versions/1.0/builds/1/log", nil, header("Accept", accept)).expect(http.StatusNotFound)
		if !strings.Contains(string(r.body), says) {
			t.Errorf("%s: %s", accept, r.body)
		}
	}
	builds := into[[]api.Build](w.do("alice", "GET", "/api/images/app/versions/1.0/builds", nil).expect(http.StatusOK))
	if len(builds) != 1 || !strings.Contains(builds[0].Logs, says) {
		t.Errorf("builds: %+v", builds)
	}
	w.do("alice", "GET", "/api/images/app/versions/1.0", nil).expect(http.StatusOK)
}
