package github

import (
	"context"
	"errors"
	"testing"
)

// Unfinished deliveries of one network that hold all memory, and wait for more of it, are
// given up for another network's delivery, which gets what they held before they do.
func TestBodyMemoryGoesToWhoHoldsLeast(t *testing.T) {
	m := newBodyMemory()
	unread, stop := context.WithCancel(t.Context())
	const share = maxBodies / 8
	ended := make(chan error, 8)
	var unfinished []*arrivingBody
	for range 8 {
		b := m.begin("192.0.2.1", func() {})
		<-m.ask(b, share)
		unfinished = append(unfinished, b)
	}
	for _, b := range unfinished {
		go func() {
			err := m.more(unread, b, share)
			m.release(b)
			ended <- err
		}()
	}
	for i := range 3 {
		b := m.begin("198.51.100.1", func() {})
		if err := m.more(t.Context(), b, share/4); err != nil {
			t.Errorf("delivery %d: %v", i, err)
		}
		m.arrived(b)
		defer m.release(b)
	}
	stop()
	givenUp := 0
	for range 8 {
		if err := <-ended; errors.Is(err, errNoMemory) {
			givenUp++
		}
	}
	if givenUp == 0 {
		t.Error("no delivery was given up")
	}
	if m.free != maxBodies-3*share/4 {
		t.Errorf("%d bytes are free", m.free)
	}
}

// A delivery that asks waits for its own network's, which are not given up.
func TestBodyMemoryOfOneNetwork(t *testing.T) {
	m := newBodyMemory()
	first, second := m.begin("192.0.2.1", func() { t.Error("given up") }), m.begin("192.0.2.1", func() { t.Error("given up") })
	<-m.ask(first, maxBodies)
	granted := m.ask(second, 1)
	select {
	case <-granted:
		t.Error("more than there is")
	default:
	}
	m.release(first)
	<-granted
	m.release(second)
	if m.free != maxBodies || len(m.arriving) != 0 {
		t.Errorf("%d bytes are free, %d arrive", m.free, len(m.arriving))
	}
}
