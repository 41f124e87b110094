package github

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxBodies bounds the memory that deliveries that are not verified yet may hold.
const maxBodies = 128 << 20

// memoryTime is how long a delivery waits for memory.
const memoryTime = 5 * time.Second

// bodyMemory is what deliveries that still arrive hold. When there is none left, the one is
// given up that holds most, of the network whose deliveries hold most, and what becomes free
// goes to the network that holds least: a sender that leaves many unfinished keeps out no other.
type bodyMemory struct {
	mu       sync.Mutex
	free     int64
	arriving map[*arrivingBody]bool
}

// arrivingBody is one delivery being read.
type arrivingBody struct {
	network string
	held    int64
	endRead func() // ends reading it
	givenUp chan struct{}

	wants   int64         // that it waits for; 0: it does not wait
	granted chan struct{} // closed when it has what it wanted
}

func newBodyMemory() *bodyMemory {
	return &bodyMemory{free: maxBodies, arriving: map[*arrivingBody]bool{}}
}

// begin notes a delivery that arrives.
func (m *bodyMemory) begin(network string, endRead func()) *arrivingBody {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &arrivingBody{network: network, endRead: endRead, givenUp: make(chan struct{})}
	m.arriving[b] = true
	return b
}

// errNoMemory is why a delivery is not read further.
var errNoMemory = errors.New("out of memory for deliveries")

// more gives a delivery n bytes more. Errors: Unavailable.
func (m *bodyMemory) more(ctx context.Context, b *arrivingBody, n int64) error {
	granted := m.ask(b, n)
	late := time.NewTimer(memoryTime)
	defer late.Stop()
	err := errNoMemory
	select {
	case <-granted:
		return nil
	case <-b.givenUp:
	case <-late.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return catalog.Wrap(catalog.Unavailable, err, "too many deliveries at the same time; send it again in a moment")
}

// ask returns what is closed when a delivery has n bytes more, and makes room for them.
func (m *bodyMemory) ask(b *arrivingBody, n int64) (granted <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b.wants, b.granted = n, make(chan struct{})
	m.grant()
	// What those given up hold is free in a moment.
	for coming := m.free; b.wants > 0 && coming < b.wants; {
		victim := m.giveUpFor(b)
		if victim == nil {
			break
		}
		coming += victim.held
	}
	return b.granted
}

// arrived notes that a delivery has come whole, and is not given up any more.
func (m *bodyMemory) arrived(b *arrivingBody) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.arriving, b)
}

// release takes back what a delivery holds.
func (m *bodyMemory) release(b *arrivingBody) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.arriving, b)
	m.free += b.held
	b.held, b.wants = 0, 0
	m.grant()
}

// grant gives what is free to those who wait, the network that holds least first.
func (m *bodyMemory) grant() {
	held := m.heldByNetwork()
	for {
		var next *arrivingBody
		for b := range m.arriving {
			if b.wants > 0 && (next == nil || held[b.network] < held[next.network]) {
				next = b
			}
		}
		if next == nil || next.wants > m.free {
			return
		}
		m.free -= next.wants
		next.held += next.wants
		held[next.network] += next.wants
		next.wants = 0
		close(next.granted)
	}
}

// giveUpFor gives up a delivery in favour of another, nil when there is none that should be.
func (m *bodyMemory) giveUpFor(b *arrivingBody) (victim *arrivingBody) {
	held := m.heldByNetwork()
	for other := range m.arriving {
		if other != b && (victim == nil || held[other.network] > held[victim.network] ||
			held[other.network] == held[victim.network] && other.held > victim.held) {
			victim = other
		}
	}
	if victim == nil || held[victim.network] <= held[b.network] {
		return nil
	}
	delete(m.arriving, victim)
	close(victim.givenUp)
	victim.endRead()
	return victim
}

// heldByNetwork returns what the deliveries of each network hold that may be given up.
func (m *bodyMemory) heldByNetwork() map[string]int64 {
	held := map[string]int64{}
	for b := range m.arriving {
		held[b.network] += b.held
	}
	return held
}
