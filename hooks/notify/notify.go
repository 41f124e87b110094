// Package notify tells the addresses that users name of builds and versions:
// signed, tried again for hours, and without reaching into the network the
// daemon stands in.
package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/jobs"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/egress"
)

// Kind is the kind of the jobs; their subject is the webhook.
const Kind catalog.JobKind = "webhook"

// Consumer follows the events, by this name.
const Consumer = string(Kind)

// Headers of a delivery, beside Content-Type: application/json.
const (
	HeaderEvent     = "X-Fandogh-Event"
	HeaderDelivery  = "X-Fandogh-Delivery"  // the same at every attempt
	HeaderTimestamp = "X-Fandogh-Timestamp" // of the attempt, Unix seconds; also in the signed body
	HeaderSignature = "X-Fandogh-Signature-256"
)

// Store is what the webhooks need of catalog.Store.
type Store interface {
	catalog.Webhooks
	catalog.Events
	catalog.Jobs
}

// Config is what a Service is made of; zero times take the defaults named
// beside them.
type Config struct {
	Store        Store
	Secrets      *secrets.Keyring
	AllowPrivate bool            // also addresses that are not on the public Internet
	Timeout      time.Duration   // of one attempt; 15 s
	Pauses       []time.Duration // between attempts; 10 s, 1 min, 6 min, 36 min, 3 h 36 min
	WorkerID     string          // names this process in leases; unique to each start
	Logger       hclog.Logger
	Now          func() time.Time
}

// Service is the outgoing webhooks.
type Service struct {
	config Config
	http   *http.Client
	worker *jobs.Worker
}

var _ catalog.WebhookControl = (*Service)(nil)

// New returns a Service; Run makes it work.
func New(c Config) *Service {
	if c.Timeout <= 0 {
		c.Timeout = 15 * time.Second
	}
	if c.Pauses == nil {
		for pause := 10 * time.Second; len(c.Pauses) < 5; pause *= 6 {
			c.Pauses = append(c.Pauses, pause)
		}
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{config: c, http: egress.Client(egress.Policy{Private: c.AllowPrivate, Timeout: c.Timeout})}
	s.worker = jobs.New(jobs.Config{
		Store: c.Store, WorkerID: c.WorkerID + "/webhooks", Timeout: 2 * c.Timeout, Parallel: 8, Logger: c.Logger, Now: c.Now,
		Kinds: map[catalog.JobKind]jobs.Kind{Kind: {Do: s.send, Pauses: c.Pauses}},
	})
	return s
}

// Run tells of events until ctx ends; then what is left waits in the store, and
// it returns nil.
func (s *Service) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	follower := jobs.Follower{Store: s.config.Store, Name: Consumer, Handle: s.onEvent, Logger: s.config.Logger}
	group.Go(func() error { return follower.Run(ctx) })
	group.Go(func() error { return s.worker.Run(ctx) })
	return group.Wait()
}

// message is the body of a delivery.
type message struct {
	Delivery  string            `json:"delivery"`
	Event     catalog.EventKind `json:"event"`
	Timestamp int64             `json:"timestamp"` // of this attempt, Unix seconds
	At        time.Time         `json:"at"`        // when it happened
	Namespace string            `json:"namespace"`
	Image     string            `json:"image"`
	Version   string            `json:"version"`
	State     catalog.State     `json:"state"`
	Commit    string            `json:"commit,omitempty"`
	Digest    string            `json:"digest,omitempty"`
	Trigger   catalog.Trigger   `json:"trigger,omitempty"`
	Build     *buildMessage     `json:"build,omitempty"`
	Reason    string            `json:"reason,omitempty"` // why retention removed the version
	From      string            `json:"from,omitempty"`   // of image.transferred: which image it was
	To        string            `json:"to,omitempty"`     // of image.transferred: which image it is
}

type buildMessage struct {
	Number  int             `json:"number"`
	Outcome catalog.Outcome `json:"outcome,omitempty"` // once it has ended
	Message string          `json:"message,omitempty"`
}

// onEvent makes a job for every webhook that wants to know.
func (s *Service) onEvent(ctx context.Context, e catalog.Event) error {
	webhooks, err := s.config.Store.WebhooksFor(ctx, e.NamespaceID, e.ImageID)
	if err != nil {
		return err
	}
	var waiting []catalog.NewJob
	for _, w := range webhooks {
		if !w.Wants(e) {
			continue
		}
		m := message{
			Delivery: fmt.Sprintf("%d-%d", w.ID, e.ID), Event: e.Kind, At: e.At, Namespace: e.Image.Namespace, Image: e.Image.Name,
			Version: e.Version, State: e.State, Commit: e.Commit, Digest: e.Digest, Trigger: e.Trigger, From: e.From, To: e.To,
		}
		if e.BuildID != 0 {
			m.Build = &buildMessage{e.Number, e.Outcome, e.Message}
		} else {
			m.Reason = e.Message
		}
		payload, err := json.Marshal(m)
		if err != nil {
			return err
		}
		waiting = append(waiting, catalog.NewJob{Kind: Kind, Key: m.Delivery, Subject: w.ID, NamespaceID: w.NamespaceID, Payload: payload})
	}
	if len(waiting) == 0 {
		return nil
	}
	_, err = s.worker.Put(ctx, waiting...)
	return err
}

// send makes one attempt at a delivery.
func (s *Service) send(ctx context.Context, job catalog.Job) (string, error) {
	w, err := s.config.Store.Webhook(ctx, job.Subject)
	if catalog.CodeOf(err) == catalog.NotFound {
		return "the webhook was deleted", nil
	}
	if err != nil {
		return "", err
	}
	secret, err := s.config.Secrets.Open(w.Sealed, about(sealedFor(w), w.URL))
	if err != nil {
		return "", err
	}
	var m message
	if err := json.Unmarshal(job.Payload, &m); err != nil {
		return "", catalog.Wrap(catalog.Invalid, err, "failed to read the stored delivery")
	}
	m.Timestamp = s.config.Now().Unix()
	body, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "Fandogh-Webhook", HeaderEvent: string(m.Event), HeaderDelivery: m.Delivery,
		HeaderTimestamp: strconv.FormatInt(m.Timestamp, 10), HeaderSignature: Sign(body, secret),
	} {
		request.Header.Set(name, value)
	}
	return s.exchange(request)
}

// maxAnswer is how much of an answer is kept, in bytes.
const maxAnswer = 1 << 10

func (s *Service) exchange(request *http.Request) (string, error) {
	response, err := s.http.Do(request)
	var sending *url.Error
	if errors.As(err, &sending) {
		err = sending.Err // without the address, which may be a secret by itself
	}
	if err != nil {
		if catalog.CodeOf(err) == catalog.Forbidden {
			// The name may be another address later; it is tried again like any failure.
			return "", catalog.Wrap(catalog.Unavailable, err, "not sent: %s", catalog.MessageOf(err))
		}
		return "", catalog.Wrap(catalog.Unavailable, err, "no response from %s", request.URL.Host)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := bounded.Begin(response.Body, maxAnswer)
	answer := response.Status
	if shown := strings.TrimSpace(strings.ToValidUTF8(string(text), "�")); shown != "" && err == nil {
		answer += ": " + shown
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return "", catalog.Errorf(catalog.Unavailable, "%s", answer)
	}
	return answer, nil
}

// Sign returns the signature header of a body: "sha256=" and the HMAC in hex.
func Sign(body, secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// sealedFor is the namespace that a webhook's secret is sealed for. That of an image may have been sealed before the image was transferred.
func sealedFor(w catalog.Webhook) string {
	if w.ImageID != 0 && w.SealedFor != "" {
		return w.SealedFor
	}
	return w.Namespace
}

func about(namespace, url string) string { return "the webhook of " + namespace + " to " + url }

const minSecret = 16

// newSecret checks a secret, or makes one.
func newSecret(secret string) (string, error) {
	switch {
	case secret == "":
		return rand.Text(), nil
	case len(secret) < minSecret:
		return "", catalog.FieldErrorf("secret", "the secret must have at least %d characters; omit it to have one created", minSecret)
	}
	return secret, nil
}
