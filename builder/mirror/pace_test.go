package mirror

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/opencontainers/go-digest"
)

// dripping is a registry that sends what it is asked for some bytes at a time.
type dripping struct {
	content string
	each    int
	pause   time.Duration
}

func (d dripping) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(d.content)), Request: r,
		Body: io.NopCloser(&drops{r.Context(), d, strings.NewReader(d.content)}),
	}, nil
}

type drops struct {
	ctx  context.Context
	of   dripping
	rest *strings.Reader
}

func (d *drops) Read(b []byte) (int, error) {
	if d.rest.Len() == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(d.of.pause):
		return d.rest.Read(b[:min(len(b), d.of.each)])
	case <-d.ctx.Done():
		return 0, context.Cause(d.ctx)
	}
}

// A registry that sends a byte now and then does not hold a download for ever; one that is slow only may.
func TestContentComesAtSomePace(t *testing.T) {
	content := strings.Repeat("x", 1<<20)
	for what, test := range map[string]struct {
		dripping
		isDone bool
	}{
		"a byte every half minute":      {dripping{content, 1, 30 * time.Second}, false},
		"4 KiB every three seconds":     {dripping{content, 4 << 10, 3 * time.Second}, true},
		"all but the last within time":  {dripping{content[:stallBytes+1], stallBytes, 50 * time.Second}, true},
		"nothing at all after a minute": {dripping{content, 1 << 20, 2 * time.Minute}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			guarded := newUpstream(&url.URL{Scheme: "https", Host: ghcr}, test.dripping, time.Now)
			m := &Mirror{now: time.Now, log: hclog.NewNullLogger(), hosts: map[string][]*upstream{ghcr: {guarded}}}
			var got bytes.Buffer
			ref := reference{registry: ghcr, repository: "a/b", digest: digest.FromString(test.content)}
			err := m.fetchBlob(t.Context(), ref, int64(len(test.content)), &got)
			if isDone := err == nil; isDone != test.isDone || isDone && got.String() != test.content {
				t.Errorf("%s: %d bytes, %v", what, got.Len(), err)
			}
			if !test.isDone && !strings.Contains(err.Error(), "within a minute") {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
}
