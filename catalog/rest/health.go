package rest

import (
	"context"
	_ "embed"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

//go:embed openapi.yaml
var openAPI []byte

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
}

// programVersion is what this program was built from.
func (c *call) programVersion() (api.ProgramVersion, error) {
	return api.ProgramVersion{Version: c.server.config.Version}, nil
}

// health tells that the process serves.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

const (
	// checkTimeout bounds one readiness check.
	checkTimeout = 3 * time.Second
	// readyFor is how long what the checks said holds: they write to the disk and ask BuildKit, and
	// any client may ask, as often as it likes.
	readyFor = time.Second
)

// wentWell is what is said of a check that found nothing.
const wentWell = "ok"

type readiness struct {
	Status string            `json:"status"` // ready or unready
	Checks map[string]string `json:"checks"` // wentWell, or why not
	Queue  string            `json:"queue"`  // open or paused; a paused one takes builds, too
}

// checked is what the checks said last.
type checked struct {
	mu     sync.Mutex // held while they run
	at     time.Time
	out    readiness
	status int
}

// ready reports whether all that a push needs answers, and else what does not.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	out, status := s.readiness(context.WithoutCancel(r.Context()))
	writeJSON(w, status, out)
}

// Ready reports for each check, by its name, whether all was well when it was made last, within a second. What a check says
// is logged.
func (s *Server) Ready(ctx context.Context) map[string]bool {
	out, _ := s.readiness(hclog.WithContext(ctx, s.config.Logger))
	ready := map[string]bool{}
	for name, says := range out.Checks {
		ready[name] = says == wentWell
	}
	return ready
}

func (s *Server) readiness(ctx context.Context) (readiness, int) {
	c := &s.checked
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.at) >= readyFor {
		c.out, c.status = s.check(ctx)
		c.at = time.Now()
	}
	return c.out, c.status
}

func (s *Server) check(ctx context.Context) (out readiness, status int) {
	logger := requests.Logger(ctx)
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	out, status = readiness{Status: "ready", Checks: map[string]string{}, Queue: "open"}, http.StatusOK
	// By whom and why is not for any client. Where the database does not answer, its check says so.
	if pause, err := s.config.Store.QueuePause(ctx); err == nil && pause.Paused() {
		out.Queue = "paused"
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, check := range s.config.Checks {
		all.Go(func() {
			err := check.Ping(ctx)
			mu.Lock()
			defer mu.Unlock()
			out.Checks[check.Name] = wentWell
			if err != nil {
				out.Checks[check.Name] = whyUnready(err)
				out.Status, status = "unready", http.StatusServiceUnavailable
				logger.Warn("not ready", "check", check.Name, "error", err)
			}
		})
	}
	all.Wait()
	return out, status
}

// whyUnready shows only what is meant to be shown: any client may ask.
func whyUnready(err error) string {
	if catalog.CodeOf(err) == catalog.Internal {
		return "is not responding; the server's log has the details"
	}
	return catalog.MessageOf(err)
}
