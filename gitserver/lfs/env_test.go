package lfs_test

import (
	"bytes"
	"context"
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
	"sync/atomic"
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
	t        testing.TB
	dir      string
	store    *sqlite.Store
	registry *registry.Registry
	server   *lfs.Server
	url      string
	users    map[string]catalog.User
	mu       sync.Mutex
	now      time.Time
	log      testkit.Buffer
	refuses  error // why nothing more is admitted
	reserved atomic.Int64
}

func newEnv(t testing.TB) *env {
	t.Helper()
	e := &env{t: t, dir: t.TempDir(), users: map[string]catalog.User{}, now: time.Now()}
	e.store = sqlitetest.Open(t, e.dir)
	accounts := account.New(account.Config{Users: e.store})
	for _, name := range []string{"alice", "bob"} {
		user, err := accounts.CreateUser(t.Context(), name, password, false)
		e.must(err)
		e.users[name] = user
	}
	var err error
	e.registry, err = registry.New(registry.Config{Dir: filepath.Join(e.dir, "registry"), Store: e.store, Auth: accounts, Logger: hclog.NewNullLogger()})
	e.must(err)
	t.Cleanup(func() { e.must(e.registry.Close()) })
	e.server = lfs.New(lfs.Config{
		Store: e.store, Contents: e.registry, Auth: accounts, Secret: []byte("a secret of tests"), URL: func() string { return e.url },
		Trusts:           func(authority string) (bool, error) { return authority == "ca", nil },
		EnsureRepository: func(catalog.ImageRef) error { return nil }, MaxObjectBytes: most, Admission: e, Now: e.clock, Logger: hclog.New(&hclog.LoggerOptions{Output: &e.log}),
	})
	server := httptest.NewServer(e.server)
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}

// Admit is as catalog.Admission has it.
func (e *env) Admit(_ context.Context, _ string, more catalog.Amounts) error { return e.admit(more) }

func (e *env) admit(more catalog.Amounts) error {
	if more.Bytes <= 0 {
		e.t.Errorf("asked for %+v", more)
	}
	return e.refuses
}

// Reserve is as catalog.Admission has it.
func (e *env) Reserve(_ context.Context, _ string, _ map[string]int64, more catalog.Amounts) (func(), error) {
	e.reserved.Add(more.Bytes)
	return func() { e.reserved.Add(-more.Bytes) }, e.admit(more)
}

func (e *env) clock() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

func (e *env) pass(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(d)
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// token is the header that SSH gives alice for an operation on alice/app.
func (e *env) token(operation lfs.Operation) string {
	return e.server.Authenticate(e.users["alice"], lfs.Proof{Authority: "ca"}, app, operation).Header["Authorization"]
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) into(t testing.TB, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), to); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// ask sends a request as a user by password, or by a header.
func (e *env) ask(who, method, url string, body io.Reader, headers ...string) answer {
	e.t.Helper()
	if strings.HasPrefix(url, "/") {
		url = e.url + url
	}
	r, err := http.NewRequestWithContext(e.t.Context(), method, url, body)
	e.must(err)
	if strings.Contains(who, " ") {
		r.Header.Set("Authorization", who)
	} else if who != "" {
		r.SetBasicAuth(who, password)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	e.must(err)
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	e.must(err)
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
func (e *env) batch(who, operation string, contents ...string) batch {
	e.t.Helper()
	var objects []map[string]any
	for _, content := range contents {
		objects = append(objects, map[string]any{"oid": oidOf(content), "size": len(content)})
	}
	body, err := json.Marshal(map[string]any{"operation": operation, "objects": objects})
	e.must(err)
	a := e.ask(who, "POST", "/alice/app.git/info/lfs/objects/batch", bytes.NewReader(body))
	if a.status != http.StatusOK {
		e.t.Fatalf("%d: %s", a.status, a.body)
	}
	var b batch
	a.into(e.t, &b)
	return b
}

// upload sends a content to alice/app as the batch says.
func (e *env) upload(who, content string) answer {
	e.t.Helper()
	action := e.batch(who, "upload", content).Objects[0].Actions["upload"]
	return e.ask(action.Header["Authorization"], "PUT", action.Href, strings.NewReader(content))
}

func oidOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// awaitReceived waits until as many uploads are on their way.
func (e *env) awaitReceived(n int) {
	testkit.Eventually(e.t, fmt.Sprint("uploads on their way: ", n), func() bool {
		entries, err := os.ReadDir(filepath.Join(e.dir, "registry", "received"))
		return (err == nil || errors.Is(err, os.ErrNotExist)) && len(entries) == n
	})
}

// has reports whether an image has a content.
func (e *env) has(ref catalog.ImageRef, content string) bool {
	e.t.Helper()
	_, err := e.server.Find(e.t.Context(), ref, oidOf(content))
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		e.t.Fatal(err)
	}
	return err == nil
}
