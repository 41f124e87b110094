// Package client talks to Fandogh's REST API. Its types are catalog/api's.
package client

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says whom to ask and as whom.
type Config struct {
	// Server is the address of the daemon, such as "http://127.0.0.1:8080". One
	// that ends in /api or /fa/api already is taken as it is.
	Server    string
	Token     string // empty: not logged in, which is enough to log in
	Namespace string // empty: the user's own
	UserAgent string
	// Transport carries the requests; nil: one with time-outs of its own.
	Transport http.RoundTripper
}

// Client is the API of one server. It is safe for concurrent use.
type Client struct {
	base      *url.URL // ends in /api
	token     string
	namespace string
	userAgent string
	http      *http.Client
	pace      pace
}

// pace holds the waits, so that tests need not live through them.
type pace struct {
	request    time.Duration // one attempt at a request that is no stream
	firstRetry time.Duration // doubles from there
	poll       time.Duration // between two looks at a log
	silence    time.Duration // after which a stream is given up; the server shows life every 15 s
}

var defaultPace = pace{request: 30 * time.Second, firstRetry: 200 * time.Millisecond, poll: time.Second, silence: 45 * time.Second}

// New makes a Client. It asks nothing of the server yet.
func New(c Config) (*Client, error) {
	base, err := ParseServer(c.Server)
	if err != nil {
		return nil, err
	}
	transport := c.Transport
	if transport == nil {
		transport = newTransport()
	}
	return &Client{
		base: base, token: c.Token, namespace: c.Namespace, userAgent: c.UserAgent,
		http: &http.Client{Transport: transport, CheckRedirect: redirect}, pace: defaultPace,
	}, nil
}

// ParseServer reads a server's address and returns that of its API.
func ParseServer(server string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(server, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not a valid server address; give one such as https://fandogh.example.com or http://127.0.0.1:8080", server)
	}
	if u.User != nil {
		return nil, fmt.Errorf("the server address must not contain a user name or password; log in instead")
	}
	if !strings.HasSuffix(u.Path, "/api") {
		u = u.JoinPath("api")
	}
	return u, nil
}

// newTransport bounds the steps that have a natural end; requests as a whole
// are bounded where they are made, because streams last.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: 2 * time.Second,
		IdleConnTimeout:       time.Minute,
		ForceAttemptHTTP2:     true,
	}
}

// redirect follows only what reads: a change must reach the address it was
// meant for. Nor does it leave TLS, which the token was sent over.
func redirect(req *http.Request, via []*http.Request) error {
	if req.Method != http.MethodGet || via[0].Method != http.MethodGet || len(via) > 5 ||
		via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return http.ErrUseLastResponse
	}
	return nil
}
