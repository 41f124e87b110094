package client

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// toPush is an image as PushImage takes it.
func toPush(t *testing.T) (manifest Manifest, blobs []Blob, size int64) {
	t.Helper()
	image, err := random.Image(1<<10, 2)
	if err != nil {
		t.Fatal(err)
	}
	body, err := image.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	m, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		blobs = append(blobs, Blob{Digest: d.Digest.String(), Size: d.Size, Open: func() (io.ReadCloser, error) {
			if d.Digest == m.Config.Digest {
				text, err := image.RawConfigFile()
				return io.NopCloser(bytes.NewReader(text)), err
			}
			layer, err := image.LayerByDigest(d.Digest)
			if err != nil {
				return nil, err
			}
			return layer.Compressed()
		}})
		size += d.Size
	}
	return Manifest{MediaType: string(m.MediaType), Digest: digest.String(), Body: body}, blobs, size
}

// account answers who asks, and hands on what is the registry's.
func account(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/accounts" {
			answer(w, http.StatusOK, api.Account{Username: "ali", Namespace: "ali"})
			return
		}
		next.ServeHTTP(w, r)
	}
}

func TestPushImage(t *testing.T) {
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	puts, cut := 0, 1
	c := serve(t, account(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ali" || password != "secret" {
			t.Errorf("%s %s as %s, %s", r.Method, r.URL, user, password)
		}
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/") {
			if puts++; puts == cut { // the network fails once
				panic(http.ErrAbortHandler)
			}
		}
		store.ServeHTTP(w, r)
	})))
	manifest, blobs, size := toPush(t)
	counted := &bytes.Buffer{}
	if err := c.PushImage(t.Context(), "Base", "1.0", []Manifest{manifest}, blobs, io.Discard); err != nil {
		t.Fatal(err)
	}
	if puts != len(blobs)+1 {
		t.Errorf("%d blobs were sent by %d requests", len(blobs), puts)
	}
	if err := c.PushImage(t.Context(), "base", "2.0", []Manifest{manifest}, blobs, counted); err != nil {
		t.Fatal(err)
	}
	if puts != len(blobs)+1 || int64(counted.Len()) != size {
		t.Errorf("what is there was sent again: %d requests, %d bytes told of, of %d", puts, counted.Len(), size)
	}
	w := httptest.NewRecorder()
	store.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v2/team/base/manifests/2.0", nil))
	if w.Body.String() != string(manifest.Body) || w.Header().Get("Content-Type") != manifest.MediaType {
		t.Errorf("stored as %s: %s", w.Header().Get("Content-Type"), w.Body)
	}
}

func TestPushImageIsRefused(t *testing.T) {
	manifest, blobs, _ := toPush(t)
	for what, test := range map[string]struct {
		image, version string
		status         int
		body, want     string
	}{
		"by a registry":    {"a", "1", http.StatusConflict, `{"errors":[{"code":"DENIED","message":"version 1 never changes"}]}`, "version 1 never changes"},
		"by something":     {"a", "1", http.StatusBadGateway, `<html>`, "502 Bad Gateway to POST"},
		"a name of paths":  {"a/b", "1", 0, "", "is not a valid name"},
		"a version of one": {"a", "..", 0, "", "is not a valid name"},
	} {
		c := serve(t, account(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead && test.status == http.StatusConflict {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})))
		err := c.PushImage(t.Context(), test.image, test.version, []Manifest{manifest}, blobs, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) || StatusOf(err) != test.status || errors.Is(err, ErrName) != (test.status == 0) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// An address elsewhere must not get the user's token.
func TestUploadsStayAtTheServer(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked") }))
	defer elsewhere.Close()
	c := serve(t, account(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Location", elsewhere.URL+"/v2/upload")
		w.WriteHeader(http.StatusAccepted)
	})))
	manifest, blobs, _ := toPush(t)
	if err := c.PushImage(t.Context(), "a", "1", []Manifest{manifest}, blobs, io.Discard); err == nil || !strings.Contains(err.Error(), "no address on it") {
		t.Error(err)
	}
}
