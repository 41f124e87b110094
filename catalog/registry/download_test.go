package registry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
)

// stock is the library's own registry over the same storage.
func (e *env) stock() http.Handler {
	app := handlers.NewApp(e.t.Context(), &configuration.Configuration{Storage: configuration.Storage{
		"filesystem": configuration.Parameters{"rootdirectory": filepath.Join(e.dir, "registry")},
	}})
	e.t.Cleanup(func() { e.must(app.Shutdown()) })
	return app
}

func TestBlobsAreServedAsByTheLibrary(t *testing.T) {
	w := newEnv(t)
	stock := w.stock()
	content := []byte("twenty bytes of text")
	held, empty := digestOf(content), digestOf(nil)
	w.blob("alice/app", content)
	w.blob("alice/app", nil)
	w.manifest("alice/app", "1.0", "content", nil) // the image is there
	w.manifest("alice/other", "1.0", "elsewhere", nil)
	lost := w.blob("alice/app", []byte("lost")).Digest
	w.must(os.Remove(filepath.Join(w.dir, "registry/docker/registry/v2/blobs/sha256", lost.Encoded()[:2], lost.Encoded(), "data")))

	for _, c := range []struct {
		digest string
		header http.Header
		status int
	}{
		{held, http.Header{}, http.StatusOK},
		{empty, http.Header{}, http.StatusOK},
		{held, http.Header{"Range": {"bytes=2-5"}}, http.StatusPartialContent},
		{held, http.Header{"Range": {"bytes=18-"}}, http.StatusPartialContent},
		{held, http.Header{"Range": {"bytes=-3"}}, http.StatusPartialContent},
		{held, http.Header{"Range": {"bytes=0-5"}, "If-Range": {`"` + held + `"`}}, http.StatusPartialContent},
		{held, http.Header{"Range": {"bytes=0-5"}, "If-Range": {`"another"`}}, http.StatusOK},
		{held, http.Header{"Range": {"bytes=20-"}}, http.StatusRequestedRangeNotSatisfiable},
		{held, http.Header{"Range": {"letters"}}, http.StatusRequestedRangeNotSatisfiable},
		{empty, http.Header{"Range": {"bytes=0-0"}}, http.StatusOK},
		{held, http.Header{"If-None-Match": {`"` + held + `"`}}, http.StatusNotModified},
		{held, http.Header{"If-None-Match": {`"another"`}}, http.StatusOK},
		{held, http.Header{"If-Match": {`"another"`}}, http.StatusPreconditionFailed},
		{digestOf([]byte("elsewhere")), http.Header{}, http.StatusNotFound},
		{digestOf([]byte("nowhere")), http.Header{}, http.StatusNotFound},
		{lost.String(), http.Header{}, http.StatusNotFound},
		{"sha256:short", http.Header{}, http.StatusBadRequest},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			request := httptest.NewRequestWithContext(t.Context(), method, "/v2/alice/app/blobs/"+c.digest, nil)
			request.Header = c.header.Clone()
			request.SetBasicAuth("alice", password)
			got, want := httptest.NewRecorder(), httptest.NewRecorder()
			w.registry.ServeHTTP(got, request.Clone(t.Context()))
			stock.ServeHTTP(want, request.Clone(t.Context()))
			if want.Code == http.StatusPreconditionFailed {
				want.Header().Del("Content-Length") // of a body that the library does not send
			}
			if got.Code != c.status || got.Code != want.Code || got.Body.String() != want.Body.String() || !reflect.DeepEqual(got.Header(), want.Header()) {
				t.Errorf("%s %s %v: got %d %v %q, the library answers %d %v %q", method, c.digest, c.header,
					got.Code, got.Header(), got.Body, want.Code, want.Header(), want.Body)
			}
		}
	}
}

// A connection copies a file by itself if it is given the file.
func TestBlobsAreCopiedByTheKernel(t *testing.T) {
	w := newEnv(t)
	w.manifest("alice/app", "1.0", "content", nil)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/alice/app/blobs/"+digestOf([]byte("content")), nil)
	request.SetBasicAuth("alice", password)
	answer := &sourceRecorder{ResponseRecorder: httptest.NewRecorder()}
	w.registry.ServeHTTP(answer, request)
	if _, isFile := answer.source.(*os.File); !isFile || answer.Body.String() != "content" {
		t.Errorf("the connection was given a %T and got %q", answer.source, answer.Body)
	}
}

// sourceRecorder is an answer that remembers what it was copied from.
type sourceRecorder struct {
	*httptest.ResponseRecorder
	source io.Reader
}

func (s *sourceRecorder) ReadFrom(from io.Reader) (int64, error) {
	s.source = from
	if limited, ok := from.(*io.LimitedReader); ok {
		s.source = limited.R
	}
	return io.Copy(s.ResponseRecorder, from)
}
