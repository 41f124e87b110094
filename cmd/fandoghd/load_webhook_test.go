//go:build torture || soak

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/hooks/notify"
)

const webhookSecret = "a-secret-of-the-receiver"

// receiver is what the daemon's webhook tells of events. It fails one first attempt in eight.
type receiver struct {
	*httptest.Server
	w       *load
	mu      sync.Mutex
	tried   map[string]int
	arrived map[wanted]bool
}

// wanted is a delivery as its receiver knows it.
type wanted struct{ delivery, event, image, version, state string }

func newReceiver(t testing.TB, w *load) *receiver {
	r := &receiver{w: w, tried: map[string]int{}, arrived: map[wanted]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) receive(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // cut off by a kill: it comes again
	}
	var m struct{ Delivery, Event, Image, Version, State string }
	if err := json.Unmarshal(body, &m); err != nil || request.Header.Get(notify.HeaderSignature) != notify.Sign(body, []byte(webhookSecret)) {
		r.w.Errorf("a webhook's delivery is wrong: %v\n%s", err, body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried[m.Delivery]++
	if r.tried[m.Delivery] == 1 && len(r.tried)%8 == 0 {
		r.w.count("webhook deliveries refused by the receiver")
		answer.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_, number, _ := strings.Cut(m.Delivery, "-")
	r.w.count("webhook deliveries")
	r.arrived[wanted{number, m.Event, m.Image, m.Version, m.State}] = true
}

func (r *receiver) has(d wanted) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.arrived[d]
}

// checkDeliveries waits for all that was to be delivered, and wants to have been told of every version that is kept.
func (t *load) checkDeliveries() {
	deadline := time.Now().Add(3 * timeout) // the second attempt's pause is a minute
	for _, d := range t.told {
		for !t.receiver.has(d) && t.ctx.Err() == nil {
			if time.Now().After(deadline) {
				t.Errorf("never delivered: %+v", d)
				break
			}
			wait(t.ctx, 100*time.Millisecond)
		}
	}
	told := map[string]bool{}
	for _, d := range t.told {
		if d.event == string(catalog.EventBuildFinished) && d.state == string(catalog.Built) {
			told[d.image+":"+d.version] = true
		}
	}
	for _, e := range t.ledger.all(kept) {
		if !told[e.name()] {
			t.Errorf("no event tells that %s was built", e.name())
		}
	}
}

// checkEvents reads the events since it last did, and holds how builds ended to what their sources are.
func (t *load) checkEvents() {
	for {
		var events []api.Event
		path := "events?limit=500"
		if t.lastEvent > 0 {
			path += "&after=" + strconv.FormatInt(t.lastEvent, 10)
		}
		if !t.get(path, &events) || len(events) == 0 {
			return
		}
		for _, e := range events {
			t.lastEvent = e.ID
			if slices.Contains(catalog.WebhookEvents(), catalog.EventKind(e.Event)) {
				t.told = append(t.told, wanted{strconv.FormatInt(e.ID, 10), e.Event, e.Image, e.Version, e.State})
			}
			if e.Event != string(catalog.EventBuildFinished) {
				continue
			}
			want := catalog.OutcomeBuilt
			if strings.HasPrefix(e.Version, badTag) {
				want = catalog.OutcomeUserError
			}
			t.count("builds ended " + e.Outcome)
			if e.Outcome != string(want) {
				t.Errorf("build %d of %s:%s ended %s, want %s: %s", e.Build, e.Image, e.Version, e.Outcome, want, e.Message)
			}
		}
	}
}
