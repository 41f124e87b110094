package mirror

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// FuzzAddress holds that whatever is asked for, its repository and tag are of the specification's form.
func FuzzAddress(f *testing.F) {
	for _, path := range []string{"/v2/a/b/manifests/1", "/v2/a/b/blobs/sha256:x", "/v2/../manifests/1", "/v2/a/manifests/b/manifests/c", "/v2//manifests/1"} {
		f.Add(path)
	}
	m := &Mirror{hosts: map[string][]*upstream{ghcr: {}}}
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest(http.MethodGet, "/?ns="+ghcr, nil)
		r.URL.Path = path
		ref, blob, ok := m.parse(r)
		if !ok {
			return
		}
		if (ref.tag == "") == (ref.digest == "") || blob && ref.digest == "" || strings.ContainsAny(ref.repository+ref.tag, "?#% \n") || strings.Contains(ref.repository, "..") {
			t.Errorf("%q is %+v", path, ref)
		}
	})
}

// FuzzManifest holds that whatever a registry sends for a manifest, only digests are found in it.
func FuzzManifest(f *testing.F) {
	f.Add(`{"config":{"digest":"sha256:x","size":1},"layers":[{}],"manifests":[{"digest":"sha256:"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		h, err := read(manifest{digest.FromString(body), "x", []byte(body)})
		if err != nil {
			return
		}
		for d, size := range h.Parts {
			if d.Validate() != nil || size <= 0 {
				t.Errorf("%s of %d bytes", d, size)
			}
		}
		for _, d := range h.Manifests {
			if d.Validate() != nil {
				t.Errorf("%s", d)
			}
		}
	})
}
