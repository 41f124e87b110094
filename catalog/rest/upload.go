package rest

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

const (
	// formOverhead is what a form may have beside its source, in bytes.
	formOverhead = 1 << 20
	maxField     = 1 << 10
	// drainBytes and drainTime bound what is still read of an upload that was
	// refused: most clients look at the answer only when they have sent it all.
	drainBytes = 64 << 20
	drainTime  = 10 * time.Second
)

// createVersion takes a multipart form with version and source, in any order,
// and queues a build of it. The form is read as it comes.
func (c *call) createVersion() (api.Message, error) {
	var none api.Message
	image, err := c.image()
	if err != nil {
		return none, err
	}
	form := &uploadForm{w: c.w, r: c.r, uploads: c.server.config.Uploads, image: image}
	defer form.close()
	if err := form.read(); err != nil {
		return none, err
	}
	if err := c.stillAllowed(); err != nil { // it may have taken long
		return none, err
	}
	build, err := form.upload.Submit(c.r.Context(), catalog.NewUpload{Version: form.version, Identity: c.id})
	if err != nil {
		return none, err
	}
	c.audit("version uploaded", "image", image.Ref, "version", build.Version, "build", build.Number, "commit", build.Commit)
	text := "Version created successfully"
	if note := form.upload.Note(); note != "" {
		text += ". " + note
	}
	return api.NewMessage(http.StatusOK, text), nil
}

// uploadForm is the form of one upload.
type uploadForm struct {
	w       http.ResponseWriter
	r       *http.Request
	uploads catalog.Uploader
	image   catalog.Image
	version string
	upload  catalog.Upload // nil until source was read
}

func (f *uploadForm) close() {
	if f.upload == nil {
		return
	}
	if err := f.upload.Close(); err != nil {
		requests.Logger(f.r.Context()).Error("failed to drop an upload", "error", err)
	}
}

// read takes the whole form in, to its last boundary: one that is cut off
// makes no version.
func (f *uploadForm) read() error {
	body := newUploadBody(f.w, f.r, f.uploads.MaxBytes()+formOverhead)
	f.r.Body = body
	parts, err := f.r.MultipartReader()
	if err != nil {
		return withStatus(http.StatusUnsupportedMediaType,
			catalog.FieldErrorf("Content-Type", "the body must be sent as multipart/form-data with the fields version and source, not as %q", f.r.Header.Get("Content-Type")))
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF { // a wrapped one came before the last boundary
			return f.complete()
		}
		if err != nil {
			return body.fault(err)
		}
		if err := f.part(part); err != nil {
			if catalog.CodeOf(err) == catalog.Internal {
				return body.fault(err)
			}
			return err
		}
	}
}

func (f *uploadForm) complete() error {
	switch {
	case f.version == "":
		return catalog.FieldErrorf("version", "the form has no field version")
	case f.upload == nil:
		return catalog.FieldErrorf("source", "the form has no field source; send the project as a zip, tar, tar.gz or tar.zst in it")
	}
	return nil
}

func (f *uploadForm) part(part *multipart.Part) error {
	ctx := f.r.Context()
	switch name := part.FormName(); name {
	case "version":
		if f.version != "" {
			return catalog.FieldErrorf(name, "the form has the field version twice")
		}
		text, err := bounded.Begin(part, maxField) // what is longer is no version either
		if err != nil {
			return err
		}
		f.version = string(text)
		if err := catalog.ValidateVersion(f.version); err != nil {
			return err
		}
		return f.uploads.CheckVersion(ctx, f.image, f.version)
	case "source":
		if f.upload != nil {
			return catalog.FieldErrorf(name, "the form has the field source twice")
		}
		var err error
		f.upload, err = f.uploads.Receive(ctx, f.image, part)
		return err
	default:
		return catalog.FieldErrorf(strings.ToValidUTF8(name, "?"), "unknown field %q; the fields are: source, version", strings.ToValidUTF8(name, string(utf8.RuneError)))
	}
}

// uploadBody keeps the error that ended it: what reads it may garble that.
type uploadBody struct {
	io.ReadCloser
	raw   io.ReadCloser // without a limit
	began bool
	lost  bool  // the connection failed
	err   error // other than io.EOF
}

func newUploadBody(w http.ResponseWriter, r *http.Request, limit int64) *uploadBody {
	return &uploadBody{ReadCloser: http.MaxBytesReader(w, r.Body, limit), raw: r.Body}
}

func (b *uploadBody) Read(p []byte) (int, error) {
	b.began = true
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil || errors.Is(err, io.EOF):
	case errors.As(err, &tooLarge):
		e := catalog.Errorf(catalog.TooLarge, "the upload is larger than %d bytes, which is the limit; exclude what the build does not need with .dockerignore", tooLarge.Limit)
		e.Field = "source"
		err = e
	default:
		b.lost = true
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// fault says in words why a form can't be read.
func (b *uploadBody) fault(err error) error {
	switch {
	case b.err != nil && !b.lost:
		return b.err
	case b.lost:
		return catalog.Wrap(catalog.Invalid, b.err, "the upload is incomplete; send it again")
	}
	return catalog.Wrap(catalog.Invalid, err, "the body is not a complete multipart form; send the fields version and source, and the closing boundary")
}

// failDraining answers at once and then reads on what a client still sends of
// an upload that was refused.
func (s *Server) failDraining(w http.ResponseWriter, r *http.Request, err error) {
	rest := unread(r)
	if rest == nil {
		s.fail(w, r, err)
		return
	}
	// All of these fail where a connection can't do it; then the client may see
	// the connection end in place of the answer, and nothing worse.
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	s.fail(w, r, err)
	_ = control.Flush()
	for end, left := time.Now().Add(drainTime), int64(drainBytes); left > 0 && time.Now().Before(end); {
		n, err := io.CopyN(io.Discard, rest, min(left, 64<<10))
		if left -= n; err != nil {
			return
		}
	}
}

// unread returns the rest of an upload that its client is sending, nil when
// there is none.
func unread(r *http.Request) io.Reader {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return nil
	}
	body, begun := r.Body.(*uploadBody)
	switch {
	case begun && body.lost:
		return nil
	case begun && body.began:
		return body.raw
	case r.Header.Get("Expect") != "":
		return nil // the client waits for leave to send
	}
	return r.Body
}
