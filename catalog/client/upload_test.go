package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

func TestUploadIsStreamed(t *testing.T) {
	const size = 8 << 20
	content := func() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), size) }
	want := sha256.New()
	if _, err := io.Copy(want, content()); err != nil {
		t.Fatal(err)
	}
	firstArrived := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/api/images/app/versions" || r.ContentLength != -1 {
			t.Errorf("%s %s with length %d", r.Method, r.URL, r.ContentLength)
		}
		parts, err := r.MultipartReader()
		if err != nil {
			t.Error(err)
			return
		}
		part, err := parts.NextPart()
		if err != nil {
			t.Error(err)
			return
		}
		version, err := io.ReadAll(part)
		if err != nil || part.FormName() != "version" || string(version) != "1.0" {
			t.Errorf("first part %s is %q, %v", part.FormName(), version, err)
		}
		close(firstArrived) // before the last byte of the source was written
		if part, err = parts.NextPart(); err != nil || part.FormName() != "source" || part.FileName() == "" {
			t.Errorf("second part: %v", err)
			return
		}
		got := sha256.New()
		n, err := io.Copy(got, part)
		if err != nil || n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("received %d other bytes, %v", n, err)
		}
		answer(w, 200, api.NewMessage(200, "Version created successfully"))
	})
	message, err := c.CreateVersion(t.Context(), "app", "1.0", func(w io.Writer) error {
		if _, err := io.CopyN(w, content(), 1); err != nil {
			return err
		}
		<-firstArrived
		rest := content()
		if _, err := io.CopyN(io.Discard, rest, 1); err != nil {
			return err
		}
		_, err := io.Copy(w, rest)
		return err
	})
	if err != nil || message != "Version created successfully" {
		t.Errorf("got %q, %v", message, err)
	}
}

func TestUploadIsRefusedBeforeItIsSent(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403) })
	written := 0
	_, err := c.CreateVersion(t.Context(), "app", "1.0", func(w io.Writer) error {
		for {
			n, err := w.Write(make([]byte, 1<<20))
			if written += n; err != nil {
				return err
			}
		}
	})
	if StatusOf(err) != 403 {
		t.Errorf("got %v", err)
	}
	if written != 0 {
		t.Errorf("%d bytes were sent for nothing", written)
	}
}

func TestUploadStopsWithItsSource(t *testing.T) {
	received := make(chan error, 1)
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		received <- err
	})
	broken := errors.New("the disk is gone")
	_, err := c.CreateVersion(t.Context(), "app", "1.0", func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("x", 100_000))
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := <-received; err == nil {
		t.Error("the server took the upload for whole")
	}
}

func TestUploadIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	_, err := c.CreateVersion(ctx, "app", "1.0", func(w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return err
			}
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestUploadLosesTheServer(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.CopyN(io.Discard, r.Body, 1000); err != nil {
			t.Error(err)
		}
		drop(t, w)
	})
	var lost *NetworkError
	_, err := c.CreateVersion(t.Context(), "app", "1.0", func(w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return fmt.Errorf("send file: %w", err)
			}
		}
	})
	if !errors.As(err, &lost) {
		t.Errorf("got %v", err)
	}
}
