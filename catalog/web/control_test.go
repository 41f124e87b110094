package web_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// The form has what the last build was asked for, and asks for what it shows, and for nothing else.
func TestRebuildWithOtherOptions(t *testing.T) {
	e := newEnv(t)
	e.finish("v3", catalog.OutcomeUserError)
	_, err := e.store.QueueBuilds(t.Context(), []catalog.NewBuild{{ImageID: e.image.ID, Version: "v4", Trigger: catalog.TriggerPush, Commit: "c", UserID: e.users["ann"].ID,
		Options: catalog.BuildOptions{NoCache: true, Target: evil, Args: map[string]string{"TOKEN": "sesame", "B": evil}}}})
	e.must(err)
	e.finish("v4", catalog.OutcomeUserError)
	b := e.signedIn("ann")
	const version = "/images/ann/app/v4"
	for _, language := range []string{"fa", "en"} {
		b.language = language
		for _, path := range []string{version, version + "/1"} {
			page := b.get(path)
			checkPage(t, path, language, page)
			if !strings.Contains(page.body, `name="no-cache" value="1" checked`) || !strings.Contains(page.body, "TOKEN=sesame") || strings.Contains(page.body, `name="pull" value="1" checked`) {
				t.Errorf("%s does not have what the last build was asked for", path)
			}
		}
	}
	if body := e.signedIn("eve").get(version + "/1").body; strings.Contains(body, "sesame") || !strings.Contains(body, "build-arg=TOKEN</code>") {
		t.Error("a reader is told the value of a build arg, or not told that there is one")
	}
	for name, c := range map[string]struct {
		fields []string
		want   int
		asked  []string
	}{
		"the same once more": {nil, http.StatusSeeOther, []string{}},
		"others": {[]string{"options", "1", "pull", "1", "target", " prod ", "build-arg", "A=1\r\n\r\nC=x=y \r\n"}, http.StatusSeeOther,
			[]string{"build-arg=A=1", "build-arg=C=x=y ", "pull", "target=prod"}},
		"none":                {[]string{"options", "1"}, http.StatusSeeOther, []string{}},
		"no arg":              {[]string{"options", "1", "build-arg", "A", "target", "kept"}, http.StatusBadRequest, nil},
		"one of the server's": {[]string{"options", "1", "build-arg", "BUILDKIT_X=1", "target", "kept"}, http.StatusBadRequest, nil},
		"a path outside":      {[]string{"options", "1", "context", "..", "target", "kept", "no-cache", "1"}, http.StatusBadRequest, nil},
	} {
		e.control.options = nil
		got := b.submit(version, version+"/rebuild", c.fields...)
		if got.StatusCode != c.want || !reflect.DeepEqual(e.control.options, c.asked) {
			t.Errorf("%s: %s, asked for %q, want %q", name, got.Status, e.control.options, c.asked)
		}
		if c.want == http.StatusBadRequest {
			checkPage(t, name, "en", got)
			if !strings.Contains(got.body, "<details open>") || !strings.Contains(got.body, `name="target" dir="ltr" maxlength="1000" autocapitalize="none" spellcheck="false" value="kept"`) {
				t.Errorf("%s: what was typed is gone", name)
			}
		}
	}
	if body := b.get("/images/ann/app/v1").body; strings.Contains(body, "/rebuild") {
		t.Error("a built version is offered to be built again")
	}
}
