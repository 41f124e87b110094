package lfs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
)

func TestBatchAndTransfers(t *testing.T) {
	e := newEnv(t)
	const content = "a large file"
	if got := e.ask("alice", "POST", "/alice/app.git/info/lfs/objects/batch", strings.NewReader(`{"operation":"download","objects":[]}`)); got.status != http.StatusNotFound {
		t.Errorf("of no image: %d %s", got.status, got.body)
	}
	up := e.batch("alice", "upload", content)
	if up.Transfer != "basic" || len(up.Objects[0].Actions) != 1 || up.Objects[0].Actions["upload"].ExpiresIn != 0 {
		t.Fatalf("got %+v", up)
	}
	if _, err := e.store.Image(t.Context(), app); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("a question created the image: %v", err)
	}
	if got := e.upload("alice", content); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	object, err := e.server.Find(t.Context(), app, oidOf(content))
	// What git hash-object says of it.
	if want := (catalog.LFSObject{OID: oidOf(content), Size: 12, Blob: "2604759ed9c523f40d4afd6095f89e3e7b3170ff", UsedAt: object.UsedAt}); err != nil || object != want {
		t.Errorf("stored %+v, %v", object, err)
	}
	if again := e.batch("alice", "upload", content); len(again.Objects[0].Actions) != 0 || again.Objects[0].Error != nil {
		t.Errorf("again: %+v", again)
	}
	down := e.batch("alice", "download", content, "another").Objects
	if e := down[1].Error; e == nil || e.Code != http.StatusNotFound || !strings.Contains(e.Message, "git lfs push --all") || len(down[1].Actions) != 0 {
		t.Errorf("what is not there: %+v", down[1])
	}
	action := down[0].Actions["download"]
	got := e.ask(action.Header["Authorization"], "GET", action.Href, nil)
	if got.status != http.StatusOK || got.body != content || got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("downloaded %+v", got)
	}
	got = e.ask(action.Header["Authorization"], "GET", action.Href, nil, "Range", "bytes=2-11")
	if got.status != http.StatusPartialContent || got.body != content[2:] || got.header.Get("Content-Range") != "bytes 2-11/12" {
		t.Errorf("resumed: %+v", got)
	}
	if got := e.ask(action.Header["Authorization"], "GET", action.Href, nil, "Range", "bytes=99-"); got.status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond its end: %d", got.status)
	}
	// Without a length, as proxies send it on.
	if got := e.ask("alice", "PUT", "/alice/app.git/info/lfs/objects/"+oidOf("chunked")+"?size=7", io.MultiReader(strings.NewReader("chunked"))); got.status != http.StatusOK {
		t.Errorf("in chunks: %d %s", got.status, got.body)
	}
}

// What is asked is answered by the protocol's statuses, and by sentences.
func TestBatchRefusals(t *testing.T) {
	e := newEnv(t)
	if got := e.upload("alice", "x"); got.status != http.StatusOK {
		t.Fatal(got)
	}
	const path = "/alice/app.git/info/lfs/objects/batch"
	object := func(oid string, size int64) string {
		return fmt.Sprintf(`{"operation":"upload","objects":[{"oid":%q,"size":%d}]}`, oid, size)
	}
	for name, c := range map[string]struct {
		who, body string
		status    int
		says      string
	}{
		"no login":            {"", `{}`, http.StatusUnauthorized, "log in"},
		"a wrong password":    {"Basic YWxpY2U6eA==", `{}`, http.StatusUnauthorized, ""},
		"a stranger":          {"bob", `{"operation":"download"}`, http.StatusNotFound, "or you have no access to it"},
		"no JSON":             {"alice", `{`, http.StatusUnprocessableEntity, "JSON"},
		"no operation":        {"alice", `{}`, http.StatusUnprocessableEntity, "upload, download"},
		"another operation":   {"alice", `{"operation":"verify"}`, http.StatusUnprocessableEntity, "upload, download"},
		"another hash":        {"alice", `{"operation":"upload","hash_algo":"sha512"}`, http.StatusConflict, "sha256"},
		"too many objects":    {"alice", `{"operation":"upload","objects":[` + strings.Repeat("{},", 10_000) + `{}]}`, http.StatusRequestEntityTooLarge, "lfs.transfer.batchSize"},
		"too much":            {"alice", strings.Repeat(" ", 4<<20+1), http.StatusRequestEntityTooLarge, "4 MiB"},
		"no objects":          {"alice", `{"operation":"upload"}`, http.StatusOK, `"objects":[]`},
		"an OID that is none": {"alice", object("../x", 1), http.StatusOK, `"code":422`},
		"an upper case OID":   {"alice", object(strings.ToUpper(oidOf("x")), 1), http.StatusOK, `"code":422`},
		"another size":        {"alice", object(oidOf("x"), 2), http.StatusOK, `"code":422`},
		"a negative size":     {"alice", object(oidOf("y"), -1), http.StatusOK, `"code":422`},
		"too large":           {"alice", object(oidOf("y"), most+1), http.StatusOK, `"code":413`},
		"as large as may be":  {"alice", object(oidOf("y"), most), http.StatusOK, `"upload"`},
		"with a charset":      {"alice", `{"operation":"upload","transfers":["tus","basic"],"ref":{"name":"refs/heads/x"}}`, http.StatusOK, `"basic"`},
	} {
		got := e.ask(c.who, "POST", path, strings.NewReader(c.body), "Content-Type", "application/vnd.git-lfs+json; charset=utf-8")
		if got.status != c.status || !strings.Contains(got.body, c.says) {
			t.Errorf("%s: %d %s; want %d, %q", name, got.status, got.body, c.status, c.says)
		}
		if got.header.Get("Content-Type") != "application/vnd.git-lfs+json" {
			t.Errorf("%s: type %q", name, got.header.Get("Content-Type"))
		}
		if asks := got.header.Get("LFS-Authenticate") != ""; asks != (c.status == http.StatusUnauthorized) {
			t.Errorf("%s: asks for a login: %t", name, asks)
		}
	}
}

// A content is an image's by its upload alone: that it is stored for others says nothing and gives nothing.
func TestUploadProvesTheContent(t *testing.T) {
	e := newEnv(t)
	const secret = "the secret of alice"
	if got := e.upload("alice", secret); got.status != http.StatusOK {
		t.Fatal(got)
	}
	mine := catalog.ImageRef{Namespace: "bob", Name: "mine"}
	_, err := e.store.CreateImage(t.Context(), catalog.NewImage{Ref: mine, OwnerID: e.users["bob"].ID})
	e.must(err)
	base := "/bob/mine.git/info/lfs/objects/"
	ask := fmt.Sprintf(`{"operation":"upload","objects":[{"oid":%q,"size":%d},{"oid":%q,"size":%d}]}`, oidOf(secret), len(secret), oidOf("never stored"), len(secret))
	var b batch
	e.ask("bob", "POST", base+"batch", strings.NewReader(ask)).into(t, &b)
	if stored, not := b.Objects[0], b.Objects[1]; len(stored.Actions) != 1 || len(not.Actions) != 1 {
		t.Errorf("what others have is told from what is stored nowhere: %+v, %+v", stored, not)
	}
	for name, c := range map[string]struct{ query, body string }{
		"other bytes":          {fmt.Sprint(len(secret)), strings.Repeat("x", len(secret))},
		"nothing":              {fmt.Sprint(len(secret)), ""},
		"nothing, of no bytes": {"0", ""},
		"a part":               {fmt.Sprint(len(secret)), secret[1:]},
		"more":                 {fmt.Sprint(len(secret)), secret + "x"},
		"too large":            {fmt.Sprint(most + 1), secret},
		"a negative size":      {"-1", secret},
		"no size":              {"x", secret},
	} {
		if got := e.ask("bob", "PUT", base+oidOf(secret)+"?size="+c.query, strings.NewReader(c.body)); got.status < 400 || got.status >= 500 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if e.has(mine, secret) {
			t.Fatalf("%s: bob has it", name)
		}
	}
	for _, path := range []string{base + oidOf(secret), "/alice/app.git/info/lfs/objects/" + oidOf(secret)} {
		if got := e.ask("bob", "GET", path, nil); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if got := e.ask("bob", "PUT", base+oidOf(secret)+fmt.Sprintf("?size=%d", len(secret)), strings.NewReader(secret)); got.status != http.StatusOK || !e.has(mine, secret) {
		t.Errorf("who has the content: %d %s", got.status, got.body)
	}
}

// What does not arrive whole leaves nothing.
func TestInterruptedUploads(t *testing.T) {
	e := newEnv(t)
	const content = "a large file"
	reader, writer := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "PUT", e.url+"/alice/app.git/info/lfs/objects/"+oidOf(content)+"?size=12", reader)
	e.must(err)
	r.SetBasicAuth("alice", password)
	done := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			err = errors.Join(fmt.Errorf("answered %s", resp.Status), resp.Body.Close())
		}
		done <- err
	}()
	_, err = io.WriteString(writer, content[:5])
	e.must(err)
	e.awaitReceived(1)
	_ = writer.CloseWithError(errors.New("the client dies"))
	<-done //nolint:errcheck // it fails in one of several ways
	e.awaitReceived(0)
	if _, err := e.registry.OpenLFS(oidOf(content)); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("its content: %v", err)
	}
	if _, err := e.store.Image(t.Context(), app); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("its image: %v", err)
	}
	if strings.Contains(e.log.String(), "[ERROR]") {
		t.Errorf("a client's end is an error of ours:\n%s", e.log.String())
	}
}

// slow is a content that ends after the server has begun to receive it, and something happened.
type slow struct {
	io.Reader
	env       *env
	meanwhile func()
}

func (s *slow) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if errors.Is(err, io.EOF) && s.meanwhile != nil {
		s.env.awaitReceived(1)
		s.meanwhile()
		s.meanwhile = nil
	}
	return n, err
}

// What was begun with a token may take longer than it is good for, and what a token was good for says how long that is.
func TestTokensThatEnd(t *testing.T) {
	e := newEnv(t)
	token := e.token(lfs.Upload)
	action := e.batch(token, "upload", "long").Objects[0].Actions["upload"]
	if action.ExpiresIn < 60 || action.ExpiresIn > 3600 || action.Header["Authorization"] != token {
		t.Errorf("got %+v", action)
	}
	long := &slow{strings.NewReader("long"), e, func() {
		e.pass(2 * time.Hour)
		if got := e.reserved.Load(); got != 4 {
			t.Errorf("%d bytes are reserved while an object of 4 arrives", got)
		}
	}}
	if got := e.ask(token, "PUT", action.Href, long); got.status != http.StatusOK || !e.has(app, "long") {
		t.Errorf("an upload that was begun in time: %d %s", got.status, got.body)
	}
	if got := e.reserved.Load(); got != 0 {
		t.Errorf("%d bytes are reserved when all is stored", got)
	}
	if got := e.ask(token, "PUT", action.Href, strings.NewReader("long")); got.status != http.StatusUnauthorized {
		t.Errorf("afterwards: %d", got.status)
	}
	certificate := e.server.Authenticate(e.users["alice"], lfs.Proof{Authority: "ca", Until: e.clock().Add(time.Minute)}, app, lfs.Upload)
	if certificate.ExpiresIn > 60 {
		t.Errorf("a token outlives the certificate that it came by: %+v", certificate)
	}
	// A right that ends meanwhile does end it.
	e.must(e.store.SetMember(t.Context(), "alice", e.users["bob"].ID, catalog.RoleWrite))
	late := &slow{strings.NewReader("late"), e, func() { e.must(e.store.SetMember(context.Background(), "alice", e.users["bob"].ID, catalog.RoleRead)) }}
	if got := e.ask("bob", "PUT", "/alice/app.git/info/lfs/objects/"+oidOf("late")+"?size=4", late); got.status != http.StatusForbidden || e.has(app, "late") {
		t.Errorf("a role that went meanwhile: %d %s", got.status, got.body)
	}
	if _, err := e.registry.OpenLFS(oidOf("late")); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("its content: %v", err)
	}
}

// Objects and locks go with their image.
func TestDeletedImages(t *testing.T) {
	e := newEnv(t)
	if got := e.upload("alice", "x"); got.status != http.StatusOK {
		t.Fatal(got)
	}
	image, err := e.store.Image(t.Context(), app)
	e.must(err)
	e.must(e.store.DeleteImage(t.Context(), image.ID))
	if got := e.ask("alice", "GET", "/alice/app.git/info/lfs/objects/"+oidOf("x"), nil); got.status != http.StatusNotFound {
		t.Errorf("its object: %d", got.status)
	}
	removals, err := e.store.Removals(t.Context())
	e.must(err)
	for _, r := range removals {
		e.must(e.store.EndRemoval(t.Context(), r.ID))
	}
	if up := e.batch("alice", "upload", "x"); len(up.Objects[0].Actions) != 1 {
		t.Errorf("another image of its name has it: %+v", up)
	}
}

// An image that goes while an object comes does not come back, with its whole history gone.
func TestDeletedMeanwhile(t *testing.T) {
	e := newEnv(t)
	if got := e.upload("alice", "x"); got.status != http.StatusOK {
		t.Fatal(got)
	}
	late := &slow{strings.NewReader("late"), e, func() {
		image, err := e.store.Image(t.Context(), app)
		e.must(err)
		e.must(e.store.DeleteImage(t.Context(), image.ID))
		removals, err := e.store.Removals(t.Context())
		e.must(err)
		for _, r := range removals {
			e.must(e.store.EndRemoval(t.Context(), r.ID))
		}
	}}
	got := e.ask("alice", "PUT", "/alice/app.git/info/lfs/objects/"+oidOf("late")+"?size=4", late)
	if got.status != http.StatusConflict || !strings.Contains(got.body, "deleted in the meantime") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if image, err := e.store.Image(t.Context(), app); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("the image is there again: %+v, %v", image, err)
	}
}

// What there is no room for is refused for each object, with the reason, and can be downloaded if it is there.
func TestNoRoom(t *testing.T) {
	e := newEnv(t)
	if got := e.upload("alice", "x"); got.status != http.StatusOK {
		t.Fatal(got)
	}
	batch := func(operation, content string) string {
		return e.ask("alice", "POST", "/alice/app.git/info/lfs/objects/batch", strings.NewReader(fmt.Sprintf(`{"operation":%q,"objects":[{"oid":%q,"size":1}]}`, operation, oidOf(content)))).body
	}
	for status, refusal := range map[int]error{
		http.StatusInsufficientStorage: catalog.Wrap(catalog.Unavailable, catalog.ErrNearlyFull, "no room"),
		http.StatusForbidden:           catalog.Errorf(catalog.Forbidden, "no room"),
	} {
		e.refuses = refusal
		if got, want := batch("upload", "y"), fmt.Sprintf(`"error":{"code":%d,"message":"no room"}`, status); !strings.Contains(got, want) {
			t.Errorf("an upload: %s, want %s", got, want)
		}
		if got := e.ask("alice", "PUT", "/alice/app.git/info/lfs/objects/"+oidOf("y")+"?size=1", strings.NewReader("y")); got.status != status || !strings.Contains(got.body, "no room") {
			t.Errorf("one that was not asked for: %v, want %d", got, status)
		}
		for _, operation := range []string{"upload", "download"} {
			if got := batch(operation, "x"); strings.Contains(got, `"error"`) {
				t.Errorf("%s of what is there: %s", operation, got)
			}
		}
	}
}

// An image that is built from another's repository has no sources, and so no objects that would ever go.
func TestUploadsToAnImageOfAnotherSource(t *testing.T) {
	e := newEnv(t)
	source, err := e.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "alice", Name: "shop"}, OwnerID: e.users["alice"].ID})
	e.must(err)
	_, err = e.store.CreateImage(t.Context(), catalog.NewImage{Ref: app, OwnerID: e.users["alice"].ID, SourceID: source.ID})
	e.must(err)
	body := fmt.Sprintf(`{"operation":"upload","objects":[{"oid":%q,"size":5}]}`, oidOf("large"))
	asked := e.ask("alice", "POST", "/alice/app.git/info/lfs/objects/batch", strings.NewReader(body))
	sent := e.ask("alice", "PUT", "/alice/app.git/info/lfs/objects/"+oidOf("large")+"?size=5", strings.NewReader("large"))
	for _, got := range []answer{asked, sent} {
		if got.status != http.StatusConflict || !strings.Contains(got.body, "send its sources there") {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if e.has(app, "large") {
		t.Error("it has it")
	}
}
