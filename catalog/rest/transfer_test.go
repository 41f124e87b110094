package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestTransfer(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	to := func(namespace string) api.TransferImage { return api.TransferImage{Namespace: namespace} }
	transfer := func(user, image, namespace string, options ...option) reply {
		return w.do(user, "POST", "/api/images/"+image+"/transfer", to(namespace), options...)
	}
	in := func(namespace string) option { return header("ACTIVE-NAMESPACE", namespace) }

	// Who manages one of the two namespaces alone is as one who knows the other, or does not.
	transfer("alice", "app", "bob").expect(http.StatusNotFound)
	transfer("alice", "app", "nowhere").expect(http.StatusNotFound)
	transfer("bob", "app", "bob", in("alice")).expect(http.StatusNotFound)
	for role, status := range map[catalog.Role]int{catalog.RoleRead: http.StatusForbidden, catalog.RoleWrite: http.StatusForbidden} {
		w.must(w.store.SetMember(t.Context(), "bob", w.users["alice"].ID, role))
		transfer("alice", "app", "bob").expect(status)
		w.must(w.store.SetMember(t.Context(), "alice", w.users["bob"].ID, role))
		transfer("bob", "app", "bob", in("alice")).expect(status)
	}
	w.must(w.store.SetMember(t.Context(), "bob", w.users["alice"].ID, catalog.RoleAdmin))
	transfer("alice-ro", "app", "bob").expect(http.StatusForbidden)
	transfer("", "app", "bob").expect(http.StatusUnauthorized)

	transfer("alice", "app", "").expect(http.StatusBadRequest)
	transfer("alice", "app", "a b").expect(http.StatusNotFound)
	transfer("alice", "app", "alice").expect(http.StatusConflict)
	transfer("alice", "none", "bob").expect(http.StatusNotFound)

	went := into[[]api.TransferredImage](transfer("alice", "app", "bob").expect(http.StatusOK))
	testkit.Same(t, "went", went, []api.TransferredImage{{From: "alice/app", To: "bob/app"}})
	w.do("alice", "GET", "/api/images/app/versions/1.0", nil, in("bob")).expect(http.StatusOK)
	if log := w.log.String(); !strings.Contains(log, "image transferred") || !strings.Contains(log, "to=bob/app") {
		t.Errorf("the audit log has no line: %s", log)
	}

	// By the old name it is told where it went, and nothing can be made.
	gone := into[api.Error](w.do("alice", "GET", "/api/images/app/versions", nil).expect(http.StatusGone))
	testkit.Same(t, "message", gone.Message, "image alice/app was transferred and is bob/app now; use that name")
	testkit.Same(t, "code", gone.Code, "moved")
	w.do("alice", "GET", "/api/images/app/versions", nil, published).expect(http.StatusNotFound)
	w.do("alice", "POST", "/api/images", map[string]string{"name": "App"}).expect(http.StatusConflict)

	// An administrator needs no role, and may take it back.
	transfer("root", "app", "alice", in("bob")).expect(http.StatusOK)
	w.do("alice", "GET", "/api/images/app/versions", nil).expect(http.StatusOK)
	events := into[[]api.Event](w.do("root", "GET", "/api/events", nil).expect(http.StatusOK))
	last := events[len(events)-1]
	testkit.Same(t, "the last event", []string{last.Event, last.Namespace, last.Image, last.From, last.To}, []string{"image.transferred", "alice", "app", "bob/app", "alice/app"})
}
