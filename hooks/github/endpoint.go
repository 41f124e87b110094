package github

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v84/github"

	"github.com/fandoghpaas/fandogh/catalog"
)

// reply is what GitHub's page of a delivery shows.
type reply struct {
	status  int
	Message string   `json:"message"`
	Images  []string `json:"images,omitempty"`
}

// signaturePattern admits SHA-256 alone.
var signaturePattern = regexp.MustCompile(`^sha256=[0-9a-f]+$`)

// unverified answers every delivery that is not proven to come from a connected
// repository, so that a stranger does not learn what is connected.
var unverified = reply{status: http.StatusUnauthorized,
	Message: "the delivery does not match a connected repository: connect the repository first, and check that the webhook's secret is the one that was shown then"}

// ServeHTTP takes GitHub's deliveries. The delivery is stored before it is
// answered, and worked off later.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := s.receive(w, r)
	s.config.Logger.Debug("delivery", "id", github.DeliveryID(r), "event", github.WebHookType(r), "status", out.status, "answer", out.Message)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if out.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	w.WriteHeader(out.status)
	// A failed write is a client that went away.
	_ = json.NewEncoder(w).Encode(out)
}

func (s *Service) receive(w http.ResponseWriter, r *http.Request) reply {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return reply{status: http.StatusMethodNotAllowed, Message: "deliveries must be sent with POST"}
	}
	signature := r.Header.Get(github.SHA256SignatureHeader)
	if len(signature) != len("sha256=")+2*sha256.Size || !signaturePattern.MatchString(signature) {
		return unverified
	}
	body, release, err := s.readBody(w, r)
	if err != nil {
		return s.refusal(err)
	}
	defer release()
	payload, err := payloadOf(r.Header.Get("Content-Type"), body)
	if err != nil {
		return s.refusal(err)
	}
	by := originOf(payload)
	from, err := s.verify(r.Context(), by, signature, body)
	if err != nil {
		return s.refusal(err)
	}
	if from == nil {
		return unverified
	}
	own := slices.DeleteFunc(slices.Clone(from), func(c catalog.Connection) bool { return by.takes(c) })
	if len(own) == 0 && len(from) > 0 {
		return reply{status: http.StatusForbidden, Message: takenOver(from[0], by.ID)}
	}
	return s.accept(r, payload, by, own)
}

func (s *Service) refusal(err error) reply {
	code := catalog.CodeOf(err)
	if code != catalog.Invalid && code != catalog.TooLarge && code != catalog.Unavailable {
		code = catalog.Internal
		s.config.Logger.Error("failed to accept a delivery", "error", err)
	}
	return reply{status: code.HTTPStatus(), Message: catalog.MessageOf(err)}
}

const (
	// bodyTime is how long a delivery may take to arrive; GitHub itself gives
	// up after ten seconds.
	bodyTime = 30 * time.Second
	// bodyStep is how much memory a delivery gets at first, in bytes.
	bodyStep = 64 << 10
	// largeBody is from which size on a delivery is verified alone: each connection has a secret.
	largeBody = 1 << 20
)

// readBody reads a delivery within the limits on its size, its time and the
// memory of all of them. Memory is given to what has arrived, not to what a
// header announces. release gives it back.
func (s *Service) readBody(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	if r.ContentLength > s.config.MaxPayload {
		return nil, nil, s.tooLarge()
	}
	endBy := deadline(w, r)
	if err := endBy(time.Now().Add(bodyTime)); err != nil {
		return nil, nil, err
	}
	b := s.bodies.begin(catalog.NetworkOf(r.RemoteAddr), func() { _ = endBy(time.Now()) })
	release = func() { s.bodies.release(b) }
	from := http.MaxBytesReader(w, r.Body, s.config.MaxPayload)
	for err == nil {
		if len(body) == cap(body) {
			if err = s.bodies.more(r.Context(), b, max(bodyStep, b.held)); err != nil {
				break
			}
			body = append(make([]byte, 0, b.held), body...)
		}
		var n int
		n, err = from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		s.bodies.arrived(b)
		// What it is without a deadline of ours, the server sets before the next request.
		if err := endBy(time.Time{}); err != nil {
			release()
			return nil, nil, err
		}
		return body, release, nil
	case errors.As(err, &tooLarge):
		err = s.tooLarge()
	case catalog.CodeOf(err) == catalog.Internal:
		err = catalog.Wrap(catalog.Invalid, err, "the body is incomplete")
	}
	release()
	return nil, nil, err
}

// deadline returns what sets the time by which the body must have come.
func deadline(w http.ResponseWriter, r *http.Request) func(time.Time) error {
	set := http.NewResponseController(w).SetReadDeadline
	if paced, ok := r.Body.(interface{ EndBy(t time.Time) error }); ok {
		set = paced.EndBy
	}
	return func(t time.Time) error {
		if err := set(t); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		return nil
	}
}

func (s *Service) tooLarge() error {
	return catalog.Errorf(catalog.TooLarge, "the delivery is larger than %d bytes", s.config.MaxPayload)
}

// payloadOf returns the JSON of a body, which GitHub sends as it is or in a form.
func payloadOf(contentType string, body []byte) ([]byte, error) {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	switch mediaType {
	case "application/json":
		return body, nil
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, catalog.Wrap(catalog.Invalid, err, "the form is not valid")
		}
		return []byte(form.Get("payload")), nil
	}
	return nil, catalog.Errorf(catalog.Invalid, "choose the content type application/json for the webhook, not %q", contentType)
}

// decoy is compared where there is no secret to compare with.
var decoy = rand.Text()

// verify returns the connections whose secret signed the body: nil when none
// did, and none of length zero when the App did for a repository without
// a connection.
func (s *Service) verify(ctx context.Context, by origin, signature string, body []byte) ([]catalog.Connection, error) {
	signed := func(secret string) bool {
		// An empty secret would be proven by any sender.
		ok := secret != "" && github.ValidateSignature(signature, body, []byte(secret)) == nil
		return ok
	}
	byApp := signed(s.config.App.WebhookSecret)
	var from []catalog.Connection
	if byApp {
		from = []catalog.Connection{}
	}
	if by.Name == "" {
		signed(decoy)
		return from, nil
	}
	connections, err := s.connectionsTo(ctx, by)
	if err != nil {
		return nil, err
	}
	if len(connections) == 0 {
		signed(decoy)
	}
	if len(body) > largeBody {
		if err := s.large.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer s.large.Release(1)
	}
	for _, c := range connections {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		keys, err := s.open(c)
		if err != nil { // the others can do without it
			s.config.Logger.Error("failed to open the secrets of a connection", "image", c.Image, "error", err)
			continue
		}
		if signed(keys.Secret) || byApp && keys.App {
			from = append(from, c)
		}
	}
	return from, nil
}

// accept deals with a delivery that is proven to be of some connections.
func (s *Service) accept(r *http.Request, payload []byte, by origin, from []catalog.Connection) reply {
	id, event := github.DeliveryID(r), github.WebHookType(r)
	if id == "" || len(id) > 200 || event == "" || len(event) > 100 {
		return reply{status: http.StatusBadRequest, Message: "a delivery needs the headers X-GitHub-Event and X-GitHub-Delivery"}
	}
	images := make([]string, len(from))
	for i, c := range from {
		images[i] = c.Image.String()
	}
	if event == "ping" {
		return reply{status: http.StatusOK, Message: "pong: " + listOf(images) + " will be built from this repository", Images: images}
	}
	a, reason, err := readEvent(event, payload)
	switch {
	case err != nil:
		return s.refusal(err)
	case reason != "":
		return reply{status: http.StatusAccepted, Message: reason, Images: images}
	case len(from) == 0:
		return reply{status: http.StatusAccepted, Message: "no image is connected to this repository through the App"}
	}
	a.From = by
	put, err := s.put(r.Context(), id, a, from)
	if err != nil {
		return s.refusal(err)
	}
	known := 0
	for _, p := range put {
		if p.Known {
			known++
		}
	}
	if known == len(put) {
		return reply{status: http.StatusOK, Message: "this delivery was already received, so nothing is done: " + progressOf(put), Images: images}
	}
	return reply{status: http.StatusOK, Message: fmt.Sprintf("checking %s for %s", cmp.Or(a.Ref, "the repository's name"), listOf(images)), Images: images}
}

// put stores a delivery for each of its connections.
func (s *Service) put(ctx context.Context, id string, a refEvent, to []catalog.Connection) ([]catalog.PutJob, error) {
	payload, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	var waiting []catalog.NewJob
	for _, c := range to {
		// By connection: the same event goes to each webhook of a repository
		// by the same ID, and they need not share a secret.
		waiting = append(waiting, catalog.NewJob{Kind: KindDelivery, Key: fmt.Sprintf("%s/%d", id, c.ID), Subject: c.ID, NamespaceID: c.NamespaceID, Payload: payload})
	}
	return s.worker.Put(ctx, waiting...)
}

func listOf(images []string) string {
	if len(images) == 0 {
		return "no image"
	}
	return strings.Join(images, ", ")
}

func progressOf(put []catalog.PutJob) string {
	var parts []string
	for _, p := range put {
		part := string(p.State)
		if p.Answer != "" {
			part += ", " + p.Answer
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}
