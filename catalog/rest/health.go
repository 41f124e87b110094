package rest

import (
	"context"
	_ "embed"
	"net/http"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

//go:embed openapi.yaml
var openAPI []byte

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
}

// health tells that the process serves.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// checkTimeout bounds one readiness check.
const checkTimeout = 3 * time.Second

type readiness struct {
	Status string            `json:"status"` // ready or unready
	Checks map[string]string `json:"checks"` // "ok", or why not
}

// ready tells whether all that a push needs answers, and else what does not.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	out := readiness{"ready", map[string]string{}}
	status := http.StatusOK
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, check := range s.Checks {
		all.Go(func() {
			err := check.Ping(ctx)
			mu.Lock()
			defer mu.Unlock()
			out.Checks[check.Name] = "ok"
			if err != nil {
				out.Checks[check.Name] = whyUnready(err)
				out.Status, status = "unready", http.StatusServiceUnavailable
				requestLogger(r.Context()).Warn("not ready", "check", check.Name, "error", err)
			}
		})
	}
	all.Wait()
	writeJSON(w, status, out)
}

// whyUnready shows only what is meant to be shown: anybody may ask.
func whyUnready(err error) string {
	if catalog.CodeOf(err) == catalog.Internal {
		return "does not answer; the server's log says why"
	}
	return catalog.MessageOf(err)
}
