package registry_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// meanwhile is an admission that does something in the middle of a push.
type meanwhile func()

func (m meanwhile) ReserveBeside(context.Context, string, map[string]int64, map[string]int64, catalog.Amounts) (func(), error) {
	m()
	return func() {}, nil
}

// An upload to an image that is being deleted is told so, and no fault of the storage.
func TestUploadToAnImageThatIsDeletedMeanwhile(t *testing.T) {
	for name, isThere := range map[string]bool{"while it is there": true, "while its files still go": false} {
		t.Run(name, func(t *testing.T) {
			w := newEnv(t)
			image := w.image("alice", "app")
			place := filepath.Dir(w.uploads("alice/app"))
			remove := func() { w.must(w.store.DeleteImage(t.Context(), image.ID)); w.endRemovals() }
			if !isThere {
				remove()
			}
			w.config.Admission = meanwhile(func() {
				if isThere {
					remove()
				} else {
					w.must(w.registry.DeleteImage(image.Ref))
				}
				w.must(os.MkdirAll(filepath.Dir(place), 0o755))
				w.must(os.WriteFile(place, nil, 0o600)) // as unusable as a directory that is being removed
			})
			w.restart()
			a := w.expect("POST", "/v2/alice/app/blobs/uploads/", alice, http.StatusServiceUnavailable, "UNAVAILABLE")
			if !strings.Contains(string(a.body), "image alice/app was just deleted and its files are being removed; try again in a moment") {
				t.Errorf("got %s", a.body)
			}
			if strings.Contains(w.log.String(), "[ERROR]") {
				t.Errorf("the log blames us: %s", w.log.String())
			}
		})
	}
}

// A client that goes away in the middle of what it sends is no fault of ours.
func TestClientThatGoesAway(t *testing.T) {
	w := newEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.config.Admission = meanwhile(func() {})
	w.restart()
	at := w.begin("alice/app")
	w.config.Admission = meanwhile(cancel)
	w.restart()
	content := []byte("of a client that goes away")
	req := httptest.NewRequest(http.MethodPut, at+"&digest="+digestOf(content), bytes.NewReader(content)).WithContext(ctx)
	req.SetBasicAuth("alice", password)
	answer := httptest.NewRecorder()
	w.registry.ServeHTTP(answer, req)
	if answer.Code < 400 || answer.Code >= 500 {
		t.Errorf("it counts as %d: %s", answer.Code, answer.Body)
	}
	if strings.Contains(w.log.String(), "[ERROR]") {
		t.Errorf("the log blames us: %s", w.log.String())
	}
}
