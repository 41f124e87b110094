package rest_test

import (
	"net/http"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/rest"
)

func TestMirrored(t *testing.T) {
	w := newEnv(t)
	w.do("bob", "GET", "/api/admin/mirror", nil).expect(http.StatusForbidden)
	w.do("bob", "DELETE", "/api/admin/mirror", nil).expect(http.StatusForbidden)
	images := into[[]api.MirroredImage](w.do("root", "GET", "/api/admin/mirror", nil).expect(http.StatusOK))
	if len(images) != 1 || images[0].Name != "docker.io/library/alpine" || images[0].Tags == nil || images[0].Size != 7 || images[0].CheckedAt.Unix() != 1 || images[0].UsedAt.Unix() != 2 {
		t.Errorf("%+v", images)
	}
	if done := into[api.Pruned](w.do("root", "DELETE", "/api/admin/mirror?image=alpine:3&unused_before=2026-05-05T00:00:00Z", nil).expect(http.StatusOK)); done != (api.Pruned{Images: 1, Size: 7}) {
		t.Errorf("%+v", done)
	}
	w.do("root", "DELETE", "/api/admin/mirror?image=%3F", nil).fault(http.StatusBadRequest, "image")
	w.do("root", "DELETE", "/api/admin/mirror?unused_before=yesterday", nil, header("Content-Type", "application/json")).fault(http.StatusBadRequest, "unused_before")

	elsewhere := newEnv(t, func(c *rest.Config) { c.Mirror = nil })
	elsewhere.do("root", "GET", "/api/admin/mirror", nil).expect(http.StatusNotFound)
	elsewhere.do("root", "DELETE", "/api/admin/mirror", nil).expect(http.StatusNotFound)
}
