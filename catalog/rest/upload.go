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
)

const (
	// uploadIdle is how long an upload may stand still.
	uploadIdle = time.Minute
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
	form := &uploadForm{call: c, image: image}
	defer form.close()
	if err := form.read(); err != nil {
		return none, err
	}
	build, err := form.upload.Submit(c.r.Context(), catalog.NewUpload{Version: form.version, Identity: c.id})
	if err != nil {
		return none, err
	}
	c.audit("version uploaded", "image", image.Ref, "version", build.Version, "build", build.Number, "commit", build.Commit)
	return api.NewMessage(http.StatusOK, "Version created successfully"), nil
}

// uploadForm is the form of one upload.
type uploadForm struct {
	*call
	image   catalog.Image
	version string
	upload  catalog.Upload // nil until source was read
}

func (f *uploadForm) close() {
	if f.upload == nil {
		return
	}
	if err := f.upload.Close(); err != nil {
		requestLogger(f.r.Context()).Error("drop an upload", "error", err)
	}
}

// read takes the whole form in, to its last boundary: one that is cut off
// makes no version.
func (f *uploadForm) read() error {
	body := newUploadBody(f.w, f.r, f.Uploads.MaxBytes()+formOverhead)
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
		text, err := io.ReadAll(io.LimitReader(part, maxField))
		if err != nil {
			return err
		}
		f.version = string(text)
		if err := catalog.ValidateVersion(f.version); err != nil {
			return err
		}
		return f.Uploads.CheckVersion(ctx, f.image, f.version)
	case "source":
		if f.upload != nil {
			return catalog.FieldErrorf(name, "the form has the field source twice")
		}
		var err error
		f.upload, err = f.Uploads.Receive(ctx, f.image, part)
		return err
	default:
		return catalog.FieldErrorf(strings.ToValidUTF8(name, "?"), "unknown field %q; there are: source, version", strings.ToValidUTF8(name, string(utf8.RuneError)))
	}
}

// uploadBody reads a request with a time limit on standing still, and keeps the
// error that ended it: what reads it may garble that.
type uploadBody struct {
	io.ReadCloser
	raw     io.ReadCloser // without a limit
	control *http.ResponseController
	began   bool
	lost    bool  // the connection failed
	err     error // other than io.EOF
}

func newUploadBody(w http.ResponseWriter, r *http.Request, limit int64) *uploadBody {
	return &uploadBody{ReadCloser: http.MaxBytesReader(w, r.Body, limit), raw: r.Body, control: http.NewResponseController(w)}
}

func (b *uploadBody) Read(p []byte) (int, error) {
	b.began = true
	// Not every connection has deadlines; then the server's own must do.
	_ = b.control.SetReadDeadline(time.Now().Add(uploadIdle))
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil || errors.Is(err, io.EOF):
	case errors.As(err, &tooLarge):
		e := catalog.Errorf(catalog.TooLarge, "the upload is larger than %d bytes, which is the limit; leave out what the build does not need, by .dockerignore", tooLarge.Limit)
		e.Field = "source"
		err = e
	default:
		b.lost = true
	}
	if err != nil {
		_ = b.control.SetReadDeadline(time.Time{}) // the connection lives on
		if !errors.Is(err, io.EOF) {
			b.err = err
		}
	}
	return n, err
}

// fault says in words why a form can't be read.
func (b *uploadBody) fault(err error) error {
	switch {
	case b.err != nil && !b.lost:
		return b.err
	case b.lost:
		return catalog.Wrap(catalog.Invalid, b.err, "the upload was cut off; send it again")
	}
	return catalog.Wrap(catalog.Invalid, err, "the body is no complete multipart form; send the fields version and source, and the last boundary")
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
	_ = control.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, rest, drainBytes)
	_ = control.SetReadDeadline(time.Time{})
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
