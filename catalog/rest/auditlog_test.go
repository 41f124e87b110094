package rest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/storetest"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestAuditLogIsListed(t *testing.T) {
	w := newEnv(t)
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	storetest.KeepAudit(t, w.store,
		catalog.AuditLine{At: at, Via: "rest", By: "ann", From: "192.0.2.1:1", What: "image created", On: map[string]string{"image": "ann/app"}},
		catalog.AuditLine{At: at.Add(time.Hour), Via: "ssh", By: "bob", From: "192.0.2.1:2", What: "ref pushed", On: map[string]string{"image": "bob/app"}})
	whats := func(query string) (found []string) {
		t.Helper()
		for _, l := range into[[]api.AuditLine](w.do("root", "GET", "/api/audit"+query, nil).expect(http.StatusOK)) {
			found = append(found, l.What)
		}
		return found
	}
	for query, want := range map[string][]string{
		"":                                   {"ref pushed", "image created"},
		"?user=ann":                          {"image created"},
		"?via=ssh":                           {"ref pushed"},
		"?image=ann/app":                     {"image created"},
		"?since=2026-05-04T04:00:00Z":        {"ref pushed"},
		"?until=2026-05-04T04:00:00%2B00:00": {"image created"},
		"?limit=1":                           {"ref pushed"},
	} {
		testkit.Same(t, query, whats(query), want)
	}
	w.do("bob", "GET", "/api/audit", nil).expect(http.StatusForbidden)
	w.do("root", "GET", "/api/audit?since=yesterday", nil).fault(http.StatusBadRequest, "since")
}
