package mirror

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// client asks as the daemon does, in this process or the registry itself.
type client struct {
	t    *testing.T
	host string
	by   http.RoundTripper
}

// get returns the manifest that a reference names, by a HEAD and a GET.
func (c client) get(reference string) (manifest string, err error) {
	c.t.Helper()
	ref, err := name.ParseReference(c.host+"/"+reference, name.Insecure)
	if err != nil {
		c.t.Fatal(err)
	}
	options := []remote.Option{remote.WithTransport(c.by), remote.WithContext(c.t.Context()), remote.WithRetryPredicate(func(error) bool { return false })}
	head, err := remote.Head(ref, options...)
	if err != nil {
		return "", err
	}
	got, err := remote.Get(ref, options...)
	if err != nil {
		return "", err
	}
	if head.Digest != got.Digest || head.MediaType != got.MediaType || head.Size != got.Size {
		c.t.Errorf("%s: HEAD says %v, GET %v", reference, head, got.Descriptor)
	}
	return string(got.MediaType) + " " + string(got.Manifest), nil
}

// A client in this process gets what it would get of the registry, also from what is kept.
func TestTransport(t *testing.T) {
	w := newWorld(t, nil)
	image, another := made(t, 1<<10), made(t, 1<<10)
	w.remote.push(t, "a/b:1", image)
	w.remote.push(t, "a/c:many", indexOf(image, another))
	near := client{t, ghcr, w.mirror.Transport(ghcr)}
	direct := client{t, strings.TrimPrefix(w.remote.server.URL, "http://"), http.DefaultTransport}
	asked := []string{"a/b:1", "a/b@" + digestOf(t, image), "a/c:many", "a/c@" + digestOf(t, another)}
	want := map[string]string{}
	for _, reference := range asked {
		var err error
		if want[reference], err = direct.get(reference); err != nil {
			t.Fatal(err)
		}
	}
	ask := func() {
		t.Helper()
		for _, reference := range asked {
			got, err := near.get(reference)
			if err != nil {
				t.Fatalf("%s: %v", reference, err)
			}
			testkit.Same(t, reference, got, want[reference])
		}
	}
	ask()
	w.remote.requests()
	ask()
	if more := w.remote.requests(); len(more) > 0 {
		t.Errorf("for what is kept it asked %q", more)
	}
	for _, status := range []int{http.StatusInternalServerError, 0} {
		w.remote.fails(answering(status))
		w.pass(recheck) // so that the registry is asked again
		ask()
	}
}

// What a registry says in place of a manifest arrives as a status; where it says nothing, there is an error.
func TestTransportOfFailures(t *testing.T) {
	w := newWorld(t, nil)
	w.remote.push(t, "a/b:1", made(t, 1<<10))
	near := client{t, ghcr, w.mirror.Transport(ghcr)}
	for _, test := range []struct {
		what   string
		fault  func(http.ResponseWriter, *http.Request) bool
		status int // 0: an error that is no answer
	}{
		{"not there", nil, http.StatusNotFound},
		{"not for anyone", answering(http.StatusForbidden), http.StatusForbidden},
		{"a login is wanted, which the mirror has not", answering(http.StatusUnauthorized), http.StatusForbidden},
		{"too many requests", answering(http.StatusTooManyRequests), http.StatusTooManyRequests},
		{"a fault", answering(http.StatusBadGateway), http.StatusBadGateway},
		{"silence", answering(0), 0},
	} {
		w.remote.fails(test.fault)
		_, err := near.get("a/b:none")
		var answered *transport.Error
		var unanswered *url.Error
		if errors.As(err, &answered); test.status != 0 && (answered == nil || answered.StatusCode != test.status) {
			t.Errorf("%s: %v", test.what, err)
		}
		if test.status == 0 && (answered != nil || !errors.As(err, &unanswered)) {
			t.Errorf("%s: %v", test.what, err)
		}
	}
	w.remote.fails(nil)
	w.remote.requests()
	for _, path := range []string{"/v2/a/b/blobs/sha256:" + strings.Repeat("0", 64), "/v2/a/b/tags/list", "/v2/_catalog", "/token", "/v2/A/manifests/1"} {
		response, err := near.by.RoundTrip(&http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: ghcr, Path: path}})
		if !errors.Is(err, errNoManifest) {
			t.Errorf("%s: %v, %v", path, response, err)
		}
		if err == nil {
			_ = response.Body.Close() // not read
		}
	}
	if asked := w.remote.requests(); len(asked) != 0 {
		t.Errorf("it asked %q", asked)
	}
	response, err := w.mirror.Transport("example.com").RoundTrip(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/v2/a/b/manifests/1"}})
	if !errors.Is(err, errNoManifest) {
		t.Errorf("a registry that it does not serve: %v, %v", response, err)
	}
	if err == nil {
		_ = response.Body.Close() // not read
	}
}

// The answer to a HEAD has no body, and says how long it would be.
func TestTransportHead(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 1<<10)
	w.remote.push(t, "a/b:1", image)
	manifest, err := image.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	response, err := w.mirror.Transport(ghcr).RoundTrip((&http.Request{Method: http.MethodHead, URL: &url.URL{Path: "/v2/a/b/manifests/1"}}).WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil || len(body) != 0 || response.ContentLength != int64(len(manifest)) || response.Header.Get("Docker-Content-Digest") != digestOf(t, image) {
		t.Errorf("%v, %d bytes of %d, %v", err, len(body), response.ContentLength, response.Header)
	}
}
