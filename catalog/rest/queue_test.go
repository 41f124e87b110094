package rest_test

import (
	"net/http"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

func TestQueue(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", "")
	w.do("root", "PUT", "/api/admin/queue/pause", map[string]string{"reason": "a\nb"}).fault(http.StatusBadRequest, "reason")
	pause := into[api.QueuePause](w.do("root", "PUT", "/api/admin/queue/pause", map[string]string{"reason": "new disk"}).expect(http.StatusOK))
	if pause.By != "root" || pause.Reason != "new disk" || pause.Since.IsZero() {
		t.Errorf("%+v", pause)
	}
	w.do("root", "GET", "/api/admin/queue?limit=0", nil).fault(http.StatusBadRequest, "limit")
	queue := into[api.BuildQueue](w.do("root", "GET", "/api/admin/queue", nil).expect(http.StatusOK))
	if queue.Pause == nil || *queue.Pause != pause || queue.Running+queue.Waiting != 1 || len(queue.Builds) != 1 || queue.Builds[0].Image != "app" {
		t.Errorf("%+v", queue)
	}
	for range 2 {
		w.do("root", "DELETE", "/api/admin/queue/pause", nil).expect(http.StatusOK)
	}
	if queue := into[api.BuildQueue](w.do("root", "GET", "/api/admin/queue", nil).expect(http.StatusOK)); queue.Pause != nil {
		t.Errorf("%+v", queue)
	}
}
