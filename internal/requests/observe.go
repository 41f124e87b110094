package requests

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

const requestIDHeader = "X-Request-Id"

// Observed gives every request an ID and one log line, but for those of a client that is refused again and again, and turns a panic into
// an answer, which fail gives.
func Observed(logger hclog.Logger, fail func(http.ResponseWriter, *http.Request, error), next http.Handler) http.Handler {
	refused := NewLines()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requestID := rand.Text()
		w.Header().Set(requestIDHeader, requestID)
		log := logger.With("request_id", requestID)
		r = r.WithContext(hclog.WithContext(r.Context(), log))
		watched := &Watched{ResponseWriter: w}
		start := time.Now()
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				log.Error("handler panicked", "panic", p, "stack", hclog.Stacktrace())
				if watched.Status == 0 {
					fail(watched, r, catalog.Errorf(catalog.Internal, "internal error; the server's log has the details under request %s", requestID))
				}
			}
			logRequest(log, refused, r, watched.Status, time.Since(start))
		}()
		next.ServeHTTP(watched, r)
	})
}

func logRequest(log hclog.Logger, refused *Lines, r *http.Request, status int, took time.Duration) {
	level := hclog.Info
	about := []any{"method", Shortened(r.Method), "path", Shortened(r.URL.EscapedPath()), "status", status, "took", took.Round(time.Microsecond), "from", r.RemoteAddr}
	switch {
	case status >= http.StatusBadRequest:
		left, ok := refused.Allow(r.RemoteAddr, time.Now())
		if !ok {
			level = hclog.Debug
		}
		if left > 0 {
			about = append(about, "not_logged", left)
		}
	case r.Method == http.MethodGet:
		level = hclog.Debug // clients poll
	}
	log.Log(level, "request", about...)
}

// Logger returns the logger that names the request.
func Logger(ctx context.Context) hclog.Logger { return hclog.FromContext(ctx) }

// Audit leaves a line in the audit log about a change: by whom, from where, and by which interface. Every interface's audit lines
// stand under that one name.
func Audit(r *http.Request, via, user, what string, about ...any) {
	log := Logger(r.Context()).ResetNamed("audit")
	log.SetLevel(hclog.Info) // whatever else is logged
	log.Info(what, append(about, "via", via, "user", user, "from", r.RemoteAddr)...)
}

// Watched remembers the status of an answer.
type Watched struct {
	http.ResponseWriter
	Status int // 0: nothing was sent yet
}

// WriteHeader remembers the final status.
func (w *Watched) WriteHeader(status int) {
	if w.Status == 0 && status >= http.StatusOK {
		w.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends the default status if none was sent.
func (w *Watched) Write(b []byte) (int, error) {
	w.setDefault()
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets the kernel send a file.
func (w *Watched) ReadFrom(r io.Reader) (int64, error) {
	w.setDefault()
	return io.Copy(w.ResponseWriter, r)
}

func (w *Watched) setDefault() {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (w *Watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }
