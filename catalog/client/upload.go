package client

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// CreateVersion uploads sources as a new version of an image and returns the
// server's sentence; the build is queued by then. write writes the archive,
// a zip, which is sent while it is made: neither its size nor its bytes are
// held here. write's own error is returned as it is. An upload is never tried
// again by itself.
func (c *Client) CreateVersion(ctx context.Context, image, version string, write func(io.Writer) error) (string, error) {
	u, err := c.api("images", image, "versions")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reader, writer := io.Pipe()
	form := multipart.NewWriter(writer)
	req, err := c.request(ctx, http.MethodPost, u, reader)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	// Who may not upload hears so before the first byte was sent.
	req.Header.Set("Expect", "100-continue")

	written := make(chan error, 1)
	go func() {
		err := writeForm(form, version, write)
		_ = writer.CloseWithError(err) // always nil
		written <- err
	}()
	message, err := c.sendForm(req)
	_ = reader.Close() // always nil; ends write if it still runs
	writeErr := <-written
	// An answer explains why the rest was not read; without one, a failure of
	// write is why the request failed.
	if err != nil && StatusOf(err) == 0 && writeErr != nil && !errors.Is(writeErr, io.ErrClosedPipe) {
		return "", writeErr
	}
	return message, err
}

func writeForm(form *multipart.Writer, version string, write func(io.Writer) error) error {
	if err := form.WriteField("version", version); err != nil {
		return err
	}
	source, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="source"; filename="workspace.zip"`},
		"Content-Type":        {"application/zip"},
	})
	if err != nil {
		return err
	}
	if err := write(source); err != nil {
		return err
	}
	return form.Close()
}

func (c *Client) sendForm(req *http.Request) (string, error) {
	resp, err := c.send(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode >= http.StatusMultipleChoices {
		return "", refusal(resp)
	}
	var out api.Message
	err = c.decode(req.Context(), resp, &out)
	return out.Message, err
}
