package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

const (
	maxTries = 4
	// maxRetryAfter is how long a wait the server may ask for, in seconds.
	maxRetryAfter = 30
	// maxAnswer bounds a JSON answer, in bytes.
	maxAnswer = 64 << 20
)

// api returns the address of one of the API's paths. Parts come from users, and
// one that a path would not keep as it is could name something else entirely.
func (c *Client) api(parts ...string) (*url.URL, error) {
	u := *c.base
	for _, part := range parts {
		if part == "" || part == "." || part == ".." {
			return nil, fmt.Errorf("%q %w", part, ErrName)
		}
		u.RawPath = u.EscapedPath() + "/" + url.PathEscape(part)
		u.Path += "/" + part
	}
	return &u, nil
}

// ask sends in as JSON, unless it is nil, and returns the answer.
func ask[Out any](ctx context.Context, c *Client, method string, in any, parts ...string) (Out, error) {
	var out Out
	u, err := c.api(parts...)
	if err != nil {
		return out, err
	}
	_, err = c.call(ctx, method, u, in, &out)
	return out, err
}

// remove deletes what the path names.
func (c *Client) remove(ctx context.Context, parts ...string) error {
	u, err := c.api(parts...)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, http.MethodDelete, u, nil, nil)
	return err
}

// call reads the answer into out, unless that is nil. It tries again what the
// network or a busy server failed, if the first try can't have done anything.
func (c *Client) call(ctx context.Context, method string, u *url.URL, in, out any) (http.Header, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, err
		}
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier = c.pace.firstRetry, 2
	header, err := backoff.Retry(ctx, func() (http.Header, error) {
		header, err := c.attempt(ctx, method, u, body, out)
		return header, retryable(ctx, method, err, header)
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(maxTries))
	var asked *retryLaterError
	if errors.As(err, &asked) {
		err = asked.refused
	}
	return header, err
}

// attempt is one request with its time-out.
func (c *Client) attempt(ctx context.Context, method string, u *url.URL, body []byte, out any) (http.Header, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.pace.request, fmt.Errorf("it took longer than %s", c.pace.request))
	defer cancel()
	req, err := c.request(ctx, method, u, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.send(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode >= http.StatusMultipleChoices {
		return resp.Header, refusal(resp)
	}
	return resp.Header, c.decode(ctx, resp, out)
}

// decode reads an answer's JSON; out may be nil.
func (c *Client) decode(ctx context.Context, resp *http.Response, out any) error {
	data, err := bounded.ReadAll(resp.Body, maxAnswer)
	var tooLong *bounded.TooLongError
	if errors.As(err, &tooLong) {
		return &Error{Status: resp.StatusCode, Message: fmt.Sprintf("the response of %s to %s %s is larger than %d MiB, which is the limit", c.base.Host, resp.Request.Method, resp.Request.URL.Path, maxAnswer>>20)}
	}
	if err != nil {
		return c.networkError(ctx, err)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return &Error{Status: resp.StatusCode, Message: fmt.Sprintf("the response of %s to %s %s is not JSON; is it a Fandogh server?", c.base.Host, resp.Request.Method, resp.Request.URL.Path)}
	}
	return nil
}

// request makes a request that says who asks.
func (c *Client) request(ctx context.Context, method string, u *url.URL, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", api.ErrorType+", */*")
	if c.token != "" {
		req.Header.Set("Authorization", "JWT "+c.token)
	}
	if c.namespace != "" {
		req.Header.Set("ACTIVE-NAMESPACE", c.namespace)
	}
	if c.userAgent != "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	return req, nil
}

// send returns the answer's head, or a NetworkError.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.networkError(req.Context(), err)
	}
	return resp, nil
}

// networkError says why there was no answer. An end that the caller asked for
// stays recognizable as context.Canceled.
func (c *Client) networkError(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return &NetworkError{Server: c.base.Host, Err: err}
}

// retryLaterError asks backoff for a certain wait and keeps what the server said.
type retryLaterError struct {
	refused error
	wait    error // a *backoff.RetryAfterError
}

func (e *retryLaterError) Error() string   { return e.refused.Error() }
func (e *retryLaterError) Unwrap() []error { return []error{e.refused, e.wait} }

// retryable marks as permanent what must not, or need not, be tried again.
func retryable(ctx context.Context, method string, err error, header http.Header) error {
	if err == nil {
		return nil
	}
	var lost *NetworkError
	repeatable := method == http.MethodGet || method == http.MethodPut
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &lost):
		if repeatable || neverSent(err) {
			return err
		}
	case repeatable:
		switch StatusOf(err) {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
			seconds, parseErr := strconv.Atoi(header.Get("Retry-After"))
			if parseErr == nil && seconds > 0 && seconds <= maxRetryAfter {
				return &retryLaterError{err, backoff.RetryAfter(seconds)}
			}
			return err
		}
	}
	return backoff.Permanent(err)
}

// neverSent reports whether the connection was not even made.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// pause waits, or returns the error of a ctx that ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
