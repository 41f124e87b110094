package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cenkalti/backoff/v5"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// Blob is a configuration or a layer of an image.
type Blob struct {
	Digest string // "sha256:…"
	Size   int64  // bytes
	Open   func() (io.ReadCloser, error)
}

// Manifest is a manifest or an index.
type Manifest struct {
	MediaType string
	Digest    string // "sha256:…"
	Body      []byte
}

// PushImage stores an image in the server's registry, which makes it a version. Of the manifests the last is the
// image's own, and those before are what it lists. What the registry has is not sent again; a blob that the network
// failed is. counter is told of the bytes of blobs, sent or not. Errors: as of all methods.
func (c *Client) PushImage(ctx context.Context, image, version string, manifests []Manifest, blobs []Blob, counter io.Writer) error {
	account, err := c.Account(ctx)
	if err != nil {
		return err
	}
	p := pusher{client: c, user: account.Username, repository: strings.ToLower(cmp.Or(c.namespace, account.Namespace) + "/" + image)}
	for _, name := range []string{image, version} {
		if strings.ContainsAny(name, "/?#%") || name == "" || strings.Trim(name, ".") == "" {
			return fmt.Errorf("%q %w", name, ErrName)
		}
	}
	for _, blob := range blobs {
		if err := p.blob(ctx, blob, counter); err != nil {
			return err
		}
	}
	for i, m := range manifests {
		reference := m.Digest
		if i == len(manifests)-1 {
			reference = version
		}
		if err := p.manifest(ctx, m, reference); err != nil {
			return err
		}
	}
	return nil
}

// pusher stores one image.
type pusher struct {
	client     *Client
	user       string
	repository string
}

func (p pusher) url(kind, reference string) *url.URL {
	u := *p.client.base
	u.RawPath, u.Path = "", "/v2/"+p.repository+"/"+kind+"/"+reference
	return &u
}

// do sends a request as the user and returns the answer, or the registry's refusal. The caller closes its body.
func (p pusher) do(ctx context.Context, method string, u *url.URL, body io.Reader, prepare func(*http.Request)) (*http.Response, error) {
	req, err := p.client.request(ctx, method, u, body)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(p.user, p.client.token) // as the registry takes it
	if prepare != nil {
		prepare(req)
	}
	resp, err := p.client.send(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close() //nolint:errcheck // read only
		return nil, registryRefusal(resp)
	}
	return resp, nil
}

// blob sends a blob that the registry does not have.
func (p pusher) blob(ctx context.Context, b Blob, counter io.Writer) error {
	_, err := p.short(ctx, http.MethodHead, p.url("blobs", b.Digest), nil, nil)
	if err == nil {
		_, err = io.Copy(counter, io.LimitReader(zeros{}, b.Size))
		return err
	}
	if StatusOf(err) != http.StatusNotFound {
		return p.explain(ctx, err)
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier = p.client.pace.firstRetry, 2
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		err := p.upload(ctx, b, counter)
		if err != nil && (ctx.Err() != nil || !errors.As(err, new(*NetworkError))) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(maxTries))
	return err
}

// explain asks again what a HEAD was refused, for its answer has no text.
func (p pusher) explain(ctx context.Context, err error) error {
	if StatusOf(err) == 0 {
		return err
	}
	if _, why := p.short(ctx, http.MethodPost, p.url("blobs", "uploads/"), nil, nil); why != nil {
		return why
	}
	return err
}

func (p pusher) upload(ctx context.Context, b Blob, counter io.Writer) (err error) {
	header, err := p.short(ctx, http.MethodPost, p.url("blobs", "uploads/"), nil, nil)
	if err != nil {
		return err
	}
	to, err := p.url("blobs", "uploads/").Parse(header.Get("Location"))
	if err != nil || header.Get("Location") == "" || to.Host != p.client.base.Host {
		return &Error{Status: http.StatusAccepted, Message: fmt.Sprintf("the registry of %s gave no address on it to upload to", p.client.base.Host)}
	}
	query := to.Query()
	query.Set("digest", b.Digest)
	to.RawQuery = query.Encode()
	content, err := b.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	resp, err := p.do(ctx, http.MethodPut, to, io.TeeReader(io.LimitReader(content, b.Size), counter), func(r *http.Request) {
		r.ContentLength = b.Size
		r.Header.Set("Content-Type", "application/octet-stream")
		if b.Size == 0 {
			r.Body = http.NoBody
		}
	})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (p pusher) manifest(ctx context.Context, m Manifest, reference string) error {
	_, err := p.short(ctx, http.MethodPut, p.url("manifests", reference), m.Body, func(r *http.Request) {
		r.Header.Set("Content-Type", m.MediaType)
	})
	return err
}

// short is do of a request that takes no longer than others of the API, and whose answer is its header.
func (p pusher) short(ctx context.Context, method string, u *url.URL, body []byte, prepare func(*http.Request)) (http.Header, error) {
	limited, cancel := context.WithTimeout(ctx, p.client.pace.request)
	defer cancel()
	resp, err := p.do(limited, method, u, bytes.NewReader(body), prepare)
	if err != nil {
		return nil, err
	}
	return resp.Header, resp.Body.Close()
}

// registryRefusal reads the registry's answer, which has another form than the API's.
func registryRefusal(resp *http.Response) *Error {
	body, _ := bounded.Begin(resp.Body, maxErrorBody)
	var wire struct {
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &wire) == nil && len(wire.Errors) > 0 && wire.Errors[0].Message != "" {
		return &Error{Status: resp.StatusCode, Message: wire.Errors[0].Message}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return refusal(resp)
}

// zeros reads nothing but zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
