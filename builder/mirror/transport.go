package mirror

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// errNoManifest is what a client in this process may not ask the mirror for.
var errNoManifest = errors.New("the mirror answers for manifests alone here")

// Transport answers clients of a registry in this process as the mirror answers BuildKit: from what is kept, or by
// the mirrors and the registry, without an account. It has manifests alone.
func (m *Mirror) Transport(registry string) http.RoundTripper { return manifests{m, registry} }

type manifests struct {
	mirror   *Mirror
	registry string
}

// RoundTrip implements http.RoundTripper.
func (t manifests) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/v2/" {
		return answer(r, http.StatusOK, http.Header{}, nil), nil
	}
	asked := &http.Request{URL: &url.URL{Path: r.URL.Path, RawQuery: url.Values{registryParameter: {t.registry}}.Encode()}}
	ref, blob, ok := t.mirror.parse(asked)
	if !ok || blob {
		return nil, errNoManifest
	}
	found, err := t.mirror.manifest(r.Context(), ref)
	if err != nil {
		if status := statusOf(err); status >= http.StatusBadRequest {
			return answer(r, status, http.Header{}, nil), nil
		}
		return nil, err
	}
	return answer(r, http.StatusOK, http.Header{"Content-Type": {found.mediaType}, "Docker-Content-Digest": {found.digest.String()}}, found.body), nil
}

func answer(r *http.Request, status int, header http.Header, body []byte) *http.Response {
	header.Set("Content-Length", strconv.Itoa(len(body)))
	length := int64(len(body))
	if r.Method == http.MethodHead {
		body = nil
	}
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: length, Request: r,
	}
}
