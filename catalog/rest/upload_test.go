package rest_test

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/hooks"
	"github.com/fandoghpaas/fandogh/hooks/archive"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// queue is the store as the builder, without a worker.
type queue struct{ catalog.Store }

func (q queue) Submit(ctx context.Context, builds []catalog.NewBuild) ([]catalog.QueuedBuild, error) {
	return q.QueueBuilds(ctx, builds)
}

func (q queue) CancelWaiting(context.Context, int64) (bool, error) {
	return false, errors.ErrUnsupported
}

// maxUpload is the largest archive the tests' server takes.
const maxUpload = 4 << 20

func (e *env) openUploads() {
	e.t.Helper()
	dir := e.t.TempDir()
	var err error
	e.repos, err = repository.Open(filepath.Join(dir, "repos"), objects.NewBudget(), nil)
	e.must(err)
	h := hooks.New(hooks.Config{
		Store: e.store, Submitter: queue{e.store}, Logs: e.logs, Control: e.control, Sources: e.repos,
		SSHAddress: func() string { return "git.test:2222" }, PublicRegistry: func() string { return "registry.test" },
	})
	e.uploads, err = hooks.NewUploads(h, hooks.UploadConfig{
		Writer: e.repos, SpoolDir: filepath.Join(dir, "uploads"), Limits: archive.Limits{Bytes: maxUpload, Unpacked: 16 * maxUpload, Entries: 1000},
	})
	e.must(err)
	e.t.Cleanup(func() {
		for _, left := range []string{"uploads", "repos/.incoming"} {
			if entries, err := os.ReadDir(filepath.Join(dir, left)); err != nil || len(entries) != 0 {
				e.t.Errorf("left in %s: %v %v", left, entries, err)
			}
		}
	})
}

func zipFiles(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := z.Create(files[i])
		if err == nil {
			_, err = io.WriteString(f, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarGzip(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for i := 0; i < len(files); i += 2 {
		err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))})
		if err == nil {
			_, err = io.WriteString(w, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []io.Closer{w, g} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// field is one part of a form.
type field struct {
	name, file, contentType string
	data                    []byte
}

func version(v string) field { return field{name: "version", data: []byte(v)} }

func source(data []byte) field {
	return field{name: "source", file: "workspace.zip", contentType: "application/zip", data: data}
}

// form returns a multipart body and the option that names its type.
func form(t testing.TB, fields ...field) (string, option) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		disposition := fmt.Sprintf("form-data; name=%q", f.name)
		if f.file != "" {
			disposition += fmt.Sprintf("; filename=%q", f.file)
		}
		h := textproto.MIMEHeader{"Content-Disposition": {disposition}}
		if f.contentType != "" {
			h.Set("Content-Type", f.contentType)
		}
		part, err := w.CreatePart(h)
		if err == nil {
			_, err = part.Write(f.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), header("Content-Type", w.FormDataContentType())
}

func chunked(r *http.Request) { r.ContentLength = -1 }

func (e *env) upload(fields ...field) reply {
	e.t.Helper()
	body, contentType := form(e.t, fields...)
	return e.do("alice", "POST", "/api/images/app/versions", body, contentType)
}

// newImage makes alice/app.
func (e *env) newImage() catalog.Image {
	e.t.Helper()
	image, err := e.store.CreateImage(e.t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "alice", Name: "app"}, OwnerID: e.users["alice"].ID})
	e.must(err)
	return image
}

// dockerfile reads what a version is built from.
func (e *env) dockerfile(image catalog.Image, name string) string {
	e.t.Helper()
	v, err := e.store.Version(e.t.Context(), image.ID, name)
	e.must(err)
	if v.State != catalog.Pending || v.Trigger != catalog.TriggerUpload {
		e.t.Errorf("%s is %s by %s", name, v.State, v.Trigger)
	}
	tree, err := e.repos.Tree(e.t.Context(), image.Ref, v.Commit)
	e.must(err)
	defer tree.Close() //nolint:errcheck // read only
	text, err := fs.ReadFile(tree, "Dockerfile")
	e.must(err)
	return string(text)
}

// What can't be kept of an archive is said.
func TestUploadLosesModes(t *testing.T) {
	w := newEnv(t)
	w.newImage()
	var b bytes.Buffer
	archive := tar.NewWriter(&b)
	for name, mode := range map[string]int64{"Dockerfile": 0o644, "id_ed25519": 0o600} {
		w.must(archive.WriteHeader(&tar.Header{Name: name, Mode: mode}))
	}
	w.must(archive.Close())
	got := into[api.Message](w.upload(version("1"), source(b.Bytes())).expect(http.StatusOK)).Message
	if !strings.HasPrefix(got, "Version created successfully. 1 file mode is not kept (\"id_ed25519\" had 600): ") {
		t.Errorf("said %q", got)
	}
}

// The forms that the published clients send.
func TestUploadOfPublishedClients(t *testing.T) {
	w := newEnv(t)
	image := w.newImage()
	// The Python CLI: requests_toolbelt's encoder, a gzipped tar as text.
	python := field{name: "source", file: "workspace", contentType: "text/plain", data: tarGzip(t, "Dockerfile", "FROM python\n", "a/b.py", "")}
	// The Node clients: form-data, chunked, a zip.
	node := source(zipFiles(t, "Dockerfile", "FROM node\n"))
	for v, c := range map[string]struct {
		prefix  string
		fields  []field
		options []option
		want    string
	}{
		"py":       {"/api", []field{version("py"), python}, nil, "FROM python\n"},
		"py-late":  {"/api", []field{python, version("py-late")}, nil, "FROM python\n"},
		"node":     {"/fa/api", []field{version("node"), node}, []option{chunked}, "FROM node\n"},
		"zip-late": {"/fa/api", []field{node, version("zip-late")}, []option{chunked}, "FROM node\n"},
	} {
		body, contentType := form(t, c.fields...)
		r := w.do("alice", "POST", c.prefix+"/images/app/versions", body, append(c.options, contentType)...).expect(http.StatusOK)
		if got := into[struct {
			Message  string
			Contents struct{ Message string }
		}](r); got.Message != "Version created successfully" || got.Contents.Message != got.Message {
			t.Errorf("%s: answered %s", v, r.body)
		}
		if got := w.dockerfile(image, v); got != c.want {
			t.Errorf("%s is built from %q", v, got)
		}
	}
	if !strings.Contains(w.log.String(), "audit: version uploaded") {
		t.Error("the audit log has no line")
	}
}

// The product's own client.
func TestUploadByOurClient(t *testing.T) {
	w := newEnv(t)
	image := w.newImage()
	c, err := client.New(client.Config{Server: w.url, Token: w.tokens["alice"]})
	w.must(err)
	message, err := c.CreateVersion(t.Context(), "app", "1.0", func(out io.Writer) error {
		_, err := out.Write(zipFiles(t, "Dockerfile", "FROM go\n"))
		return err
	})
	if err != nil || message != "Version created successfully" || w.dockerfile(image, "1.0") != "FROM go\n" {
		t.Errorf("got %q %v", message, err)
	}
	_, err = c.CreateVersion(t.Context(), "nothing", "1.0", func(io.Writer) error {
		t.Error("the archive was asked for although the image does not exist")
		return nil
	})
	if client.StatusOf(err) != http.StatusNotFound {
		t.Errorf("got %v", err)
	}
}

func TestUploadFaults(t *testing.T) {
	w := newEnv(t)
	w.version("app", "built", catalog.OutcomeBuilt)
	w.version("app", "running", "")
	good := zipFiles(t, "Dockerfile", "FROM scratch\n")
	for what, c := range map[string]struct {
		fields []field
		status int
		field  string
	}{
		"no version":    {[]field{source(good)}, 400, "version"},
		"no source":     {[]field{version("1.0")}, 400, "source"},
		"nothing":       {nil, 400, "version"},
		"bad version":   {[]field{version("a b"), source(good)}, 400, "version"},
		"long version":  {[]field{version(strings.Repeat("1", 5000)), source(good)}, 400, "version"},
		"bytes":         {[]field{version("\xff"), source(good)}, 400, "version"},
		"bad late":      {[]field{source(good), version("..")}, 400, "version"},
		"version twice": {[]field{version("1"), version("2"), source(good)}, 400, "version"},
		"source twice":  {[]field{version("1"), source(good), source(good)}, 400, "source"},
		"unknown":       {[]field{version("1"), {name: "colour", data: []byte("red")}, source(good)}, 400, "colour"},
		"no archive":    {[]field{version("1"), source([]byte("FROM scratch"))}, 400, "source"},
		"bad archive":   {[]field{version("1"), source(zipFiles(t, "../evil", ""))}, 400, "source"},
		"built":         {[]field{version("built"), source(good)}, 409, "version"},
		"built, late":   {[]field{source(good), version("built")}, 409, "version"},
		"being built":   {[]field{version("running"), source(good)}, 409, "detail"},
		"too large":     {[]field{version("1"), source(bytes.Repeat([]byte("PK\x03\x04"), maxUpload/4+1))}, 413, "source"},
		"far too large": {[]field{version("1"), source(bytes.Repeat([]byte("PK\x03\x04"), maxUpload))}, 413, "source"},
		"field too":     {[]field{version("1"), {name: "pad", data: make([]byte, 6<<20)}}, 400, "pad"},
	} {
		t.Run(what, func(t *testing.T) {
			r := w.upload(c.fields...)
			r.t = t
			r.fault(c.status, c.field)
		})
	}
	body, _ := form(t, version("1"), source(good))
	w.do("alice", "POST", "/api/images/app/versions", body).fault(http.StatusUnsupportedMediaType, "Content-Type")
	w.do("alice", "POST", "/api/images/app/versions", body, header("Content-Type", "multipart/form-data")).fault(http.StatusUnsupportedMediaType, "Content-Type")
	w.do("alice", "POST", "/api/images/app/versions", body, header("Content-Type", "multipart/form-data; boundary=another")).fault(http.StatusBadRequest, "detail")
	body, contentType := form(t, version("1"), source(good))
	for cut := 3; cut < 100; cut++ { // without its last CRLF a form is complete
		if r := w.do("alice", "POST", "/api/images/app/versions", body[:len(body)-cut], contentType); r.status != http.StatusBadRequest {
			t.Errorf("cut off by %d bytes: got %d %s", cut, r.status, r.body)
		}
	}
	w.do("alice", "POST", "/api/images/nothing/versions", body, contentType).fault(http.StatusNotFound, "detail")
	w.upload(version("1"), source(good)).expect(http.StatusOK) // nothing of all that stands in the way
}

// Who sends all before reading anything sees why it was refused, and the
// connection goes on.
func TestUploadRefusalIsReadable(t *testing.T) {
	w := newEnv(t)
	w.version("app", "built", catalog.OutcomeBuilt)
	large := bytes.Repeat([]byte("PK\x03\x04"), maxUpload/8)
	for what, c := range map[string]struct {
		path, token string
		status      string
	}{
		"built":    {"app", "alice", "409"},
		"no image": {"nothing", "alice", "404"},
		"no login": {"app", "nobody", "401"},
	} {
		body, contentType := form(t, version("built"), source(large))
		conn := w.dial()
		req, err := http.NewRequest(http.MethodPost, w.url+"/api/images/"+c.path+"/versions", strings.NewReader(body))
		w.must(err)
		req.Header.Set("Authorization", "JWT "+w.tokens[c.token])
		req.Header.Set("Accept", api.ErrorType)
		contentType(req)
		if err := req.Write(conn); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), req)
		if err != nil || !strings.HasPrefix(resp.Status, c.status) {
			t.Errorf("%s: got %v %v", what, resp, err)
			continue
		}
		if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), "message") {
			t.Errorf("%s: got %q %v", what, text, err)
		}
	}
}

func (e *env) dial() net.Conn {
	e.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	e.must(err)
	e.t.Cleanup(func() { _ = conn.Close() })
	e.must(conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn
}

// Who waits for leave to send hears a refusal before sending.
func TestUploadExpectContinue(t *testing.T) {
	w := newEnv(t)
	conn := w.dial()
	_, err := fmt.Fprintf(conn, "POST /api/images/nothing/versions HTTP/1.1\r\nHost: x\r\nAuthorization: JWT %s\r\nExpect: 100-continue\r\n"+
		"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n", w.tokens["alice"])
	w.must(err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %v %v", resp, err)
	}
}

// A client that hangs up leaves nothing, and its version may be tried again.
func TestUploadHangUp(t *testing.T) {
	w := newEnv(t)
	image := w.newImage()
	archive := zipFiles(t, "Dockerfile", "FROM scratch\n")
	body, contentType := form(t, version("1.0"), source(archive))
	for _, sent := range []int{10, len(body) / 2, len(body) - 1} {
		conn := w.dial()
		req, err := http.NewRequest(http.MethodPost, w.url+"/api/images/app/versions", strings.NewReader(body))
		w.must(err)
		req.Header.Set("Authorization", "JWT "+w.tokens["alice"])
		contentType(req)
		var wire bytes.Buffer
		w.must(req.Write(&wire))
		_, err = conn.Write(wire.Bytes()[:wire.Len()-len(body)+sent])
		w.must(err)
		w.must(conn.Close())
	}
	testkit.Eventually(t, "the requests end", func() bool { return strings.Count(w.log.String(), "path=/api/images/app/versions status") >= 3 })
	if _, err := w.store.Version(t.Context(), image.ID, "1.0"); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("a version of half an upload: %v", err)
	}
	if tags, err := w.repos.Tags(t.Context(), image.Ref); err != nil || len(tags) != 0 {
		t.Errorf("tags of half an upload: %v %v", tags, err)
	}
	w.upload(version("1.0"), source(archive)).expect(http.StatusOK)
}

func FuzzUploadForm(f *testing.F) {
	w := newEnv(f)
	w.newImage()
	body, _ := form(f, version("1.0"), source(zipFiles(f, "Dockerfile", "FROM scratch\n")))
	boundary := body[2:strings.Index(body, "\r\n")]
	f.Add(body, boundary)
	f.Add(body[:len(body)/2], boundary)
	f.Add("--b\r\nContent-Disposition: form-data; name=version\r\n\r\n1\r\n--b--", "b")
	f.Fuzz(func(t *testing.T, body, boundary string) {
		if strings.ContainsFunc(boundary, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return // no client can send such a header
		}
		r := w.in(t).do("alice", "POST", "/api/images/app/versions", body, header("Content-Type", "multipart/form-data; boundary=\""+boundary+"\""))
		checkAnswer(t, r, body)
	})
}
