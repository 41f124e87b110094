package registry_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

// late is a body that does something before the first of it is sent, which is when the
// server asks for it.
type late struct {
	io.Reader
	do func()
}

func (l *late) Read(b []byte) (int, error) {
	l.do()
	return l.Reader.Read(b)
}

// A blob or a manifest arrives only for who may push when all of it is there.
func TestRevokedWhileSending(t *testing.T) {
	w := newEnv(t)
	ctx := t.Context()
	bobs, err := w.store.User(ctx, "bob")
	w.must(err)
	manifest := w.manifest("alice/app", "1", "content", nil)
	may := func() error {
		no := false
		_, err := w.store.UpdateUser(ctx, bobs.ID, catalog.UserUpdate{Disabled: &no})
		w.must(err)
		return w.store.SetMember(ctx, "alice", bobs.ID, catalog.RoleWrite)
	}
	disable := func() error {
		yes := true
		_, err := w.store.UpdateUser(ctx, bobs.ID, catalog.UserUpdate{Disabled: &yes})
		return err
	}
	readOnly := func() error { return w.store.SetMember(ctx, "alice", bobs.ID, catalog.RoleRead) }
	for i, row := range []struct {
		what, version string
		revoke        func() error
		status        int
	}{
		{"manifest", "ok", may, http.StatusCreated},
		{"manifest", "disabled", disable, http.StatusUnauthorized},
		{"manifest", "read", readOnly, http.StatusForbidden},
		{"blob", "", may, http.StatusCreated},
		{"blob", "", disable, http.StatusUnauthorized},
		{"blob", "", readOnly, http.StatusForbidden},
	} {
		t.Run(fmt.Sprintf("%d %s", i, row.what), func(t *testing.T) {
			w := w.in(t)
			w.must(may())
			path, contentType, body := "/v2/alice/app/manifests/"+row.version, ocispec.MediaTypeImageManifest, manifest
			if row.what == "blob" {
				body = fmt.Appendf(nil, "blob %d", i)
				at := w.expect("POST", "/v2/alice/app/blobs/uploads/", bob, http.StatusAccepted, "").header.Get("Location")
				path, contentType = at+"&digest="+digestOf(body), "application/octet-stream"
			}
			revoked := false
			req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+w.host+path, &late{bytes.NewReader(body), sync.OnceFunc(func() {
				w.must(row.revoke())
				revoked = true
			})})
			w.must(err)
			req.ContentLength = int64(len(body))
			req.Header.Set("Content-Type", contentType)
			req.Header.Set("Expect", "100-continue")
			name, secret, _ := strings.Cut(bob, ":")
			req.SetBasicAuth(name, secret)
			resp, err := http.DefaultClient.Do(req)
			w.must(err)
			w.must(resp.Body.Close())
			if resp.StatusCode != row.status || !revoked {
				t.Errorf("got %s, want %d; the body was read: %v", resp.Status, row.status, revoked)
			}
			there := w.request("HEAD", path, alice).status
			if row.what == "blob" {
				there = w.request("HEAD", "/v2/alice/app/blobs/"+digestOf(body), alice).status
			}
			if stored := there == http.StatusOK; stored != (row.status == http.StatusCreated) {
				t.Errorf("after status %d it is there: %d", row.status, there)
			}
		})
	}
}
