package lfs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

const (
	password = "correct horse battery"
	most     = 1 << 20 // bytes of an object
)

var app = catalog.ImageRef{Namespace: "alice", Name: "app"}

// env is a server over a real store, with users alice, who has the namespace, and bob, who hasn't.
type env struct {
	t        *testing.T
	dir      string
	store    *sqlite.Store
	registry *registry.Registry
	server   *lfs.Server
	url      string
	users    map[string]catalog.User
	mu       sync.Mutex
	now      time.Time
	log      testkit.Buffer
}

func newEnv(t *testing.T) *env {
	t.Helper()
	w := &env{t: t, dir: t.TempDir(), users: map[string]catalog.User{}, now: time.Now()}
	w.store = sqlitetest.Open(t, w.dir)
	accounts := account.New(account.Config{Users: w.store})
	for _, name := range []string{"alice", "bob"} {
		user, err := accounts.CreateUser(t.Context(), name, password, false)
		w.must(err)
		w.users[name] = user
	}
	var err error
	w.registry, err = registry.New(registry.Config{Dir: filepath.Join(w.dir, "registry"), Store: w.store, Auth: accounts, Logger: hclog.NewNullLogger()})
	w.must(err)
	t.Cleanup(func() { w.must(w.registry.Close()) })
	w.server = lfs.New(lfs.Config{
		Store: w.store, Contents: w.registry, Auth: accounts, Secret: []byte("a secret of tests"), URL: func() string { return w.url },
		MaxObjectBytes: most, Now: w.clock, Logger: hclog.New(&hclog.LoggerOptions{Output: &w.log}),
	})
	server := httptest.NewServer(w.server)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *env) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *env) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *env) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// token is the header that SSH gives alice for an operation on alice/app.
func (w *env) token(operation lfs.Operation) string {
	return w.server.Authenticate(w.users["alice"], "", time.Time{}, app, operation).Header["Authorization"]
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) into(t *testing.T, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), to); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// ask sends a request as a user by password, or by a header.
func (w *env) ask(who, method, url string, body io.Reader, headers ...string) answer {
	w.t.Helper()
	if strings.HasPrefix(url, "/") {
		url = w.url + url
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, url, body)
	w.must(err)
	if strings.Contains(who, " ") {
		r.Header.Set("Authorization", who)
	} else if who != "" {
		r.SetBasicAuth(who, password)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	w.must(err)
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	w.must(err)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

type batch struct {
	Transfer string
	Objects  []struct {
		OID     string
		Size    int64
		Actions map[string]struct {
			Href      string
			Header    map[string]string
			ExpiresIn int `json:"expires_in"`
		}
		Error *struct {
			Code    int
			Message string
		}
	}
}

// batch asks for objects of alice/app.
func (w *env) batch(who, operation string, contents ...string) batch {
	w.t.Helper()
	var objects []map[string]any
	for _, content := range contents {
		objects = append(objects, map[string]any{"oid": oidOf(content), "size": len(content)})
	}
	body, err := json.Marshal(map[string]any{"operation": operation, "objects": objects})
	w.must(err)
	a := w.ask(who, "POST", "/alice/app.git/info/lfs/objects/batch", bytes.NewReader(body))
	if a.status != http.StatusOK {
		w.t.Fatalf("%d: %s", a.status, a.body)
	}
	var b batch
	a.into(w.t, &b)
	return b
}

// upload sends a content to alice/app as the batch says.
func (w *env) upload(who, content string) answer {
	w.t.Helper()
	action := w.batch(who, "upload", content).Objects[0].Actions["upload"]
	return w.ask(action.Header["Authorization"], "PUT", action.Href, strings.NewReader(content))
}

func oidOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// awaitReceived waits until as many uploads are on their way.
func (w *env) awaitReceived(n int) {
	testkit.Eventually(w.t, fmt.Sprint("uploads on their way: ", n), func() bool {
		entries, err := os.ReadDir(filepath.Join(w.dir, "registry", "received"))
		return (err == nil || errors.Is(err, os.ErrNotExist)) && len(entries) == n
	})
}

// has reports whether an image has a content.
func (w *env) has(ref catalog.ImageRef, content string) bool {
	w.t.Helper()
	_, err := w.server.Find(w.t.Context(), ref, oidOf(content))
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		w.t.Fatal(err)
	}
	return err == nil
}
