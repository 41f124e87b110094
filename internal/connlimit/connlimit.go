// Package connlimit bounds how many connections a server has, such that a client that
// fills the places keeps no other out.
package connlimit

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Limits counts connections: in all, by network (catalog.NetworkOf), and those that are
// anonymous, without a login yet, of which there are at most a quarter of all, so
// that they never take the places of the others. Zero: no limit.
//
// When there is no place, a newcomer takes that of an anonymous one, of
// the network that has most of those, by lot. Refusing newcomers instead would let
// a client that fills the places shut all others out.
type Limits struct {
	Max, PerNetwork int
	// Many are addresses behind which there may be many clients: PerNetwork is not
	// for them.
	Many []netip.Prefix

	mu        sync.Mutex
	total     int
	anonymous int
	networks  map[string]*network
}

// network is where connections come from.
type network struct {
	total     int
	anonymous []*Conn
}

// Admit counts a connection in, as anonymous. Where there is no place it closes another one,
// and dropped is true. Where that can't be either, there is no connection.
func (l *Limits) Admit(conn net.Conn) (admitted *Conn, dropped bool) {
	from := conn.RemoteAddr().String()
	name := catalog.NetworkOf(from)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.networks == nil {
		l.networks = map[string]*network{}
	}
	known := l.networks[name]
	var victim *Conn
	switch {
	case known != nil && l.PerNetwork > 0 && known.total >= l.PerNetwork && !l.hasMany(from):
		victim = known.any()
	case l.Max > 0 && (l.total >= l.Max || l.anonymous >= max(1, l.Max/4)):
		victim = l.busiest().any()
	default:
		return l.add(conn, name), false
	}
	if victim == nil {
		return nil, false
	}
	l.remove(victim)
	_ = victim.Conn.Close() // anonymous
	return l.add(conn, name), true
}

func (l *Limits) hasMany(from string) bool {
	address, err := netip.ParseAddrPort(from)
	return err == nil && slices.ContainsFunc(l.Many, func(p netip.Prefix) bool { return p.Contains(address.Addr().Unmap()) })
}

// busiest returns the network with most anonymous connections; of
// several, any.
func (l *Limits) busiest() *network {
	var most *network
	for _, n := range l.networks {
		if most == nil || len(n.anonymous) > len(most.anonymous) {
			most = n
		}
	}
	return most
}

func (n *network) any() *Conn {
	if len(n.anonymous) == 0 {
		return nil
	}
	return n.anonymous[rand.IntN(len(n.anonymous))] //nolint:gosec // no secret
}

func (l *Limits) add(conn net.Conn, name string) *Conn {
	from := l.networks[name]
	if from == nil {
		from = &network{}
		l.networks[name] = from
	}
	c := &Conn{Conn: conn, limits: l, from: from, name: name, counted: true, owned: true}
	from.total++
	l.total++
	l.disown(c)
	return c
}

// remove gives a connection's place back, once.
func (l *Limits) remove(c *Conn) {
	if !c.counted {
		return
	}
	l.own(c)
	c.counted = false
	l.total--
	if c.from.total--; c.from.total == 0 {
		delete(l.networks, c.name)
	}
}

// disown puts a connection to the anonymous ones.
func (l *Limits) disown(c *Conn) {
	if !c.owned || !c.counted {
		return
	}
	c.owned = false
	c.at = len(c.from.anonymous)
	c.from.anonymous = append(c.from.anonymous, c)
	l.anonymous++
}

// own takes a connection off the anonymous ones.
func (l *Limits) own(c *Conn) {
	if c.owned {
		return
	}
	c.owned = true
	last := c.from.anonymous[len(c.from.anonymous)-1]
	c.from.anonymous[c.at], last.at = last, c.at
	c.from.anonymous = slices.Delete(c.from.anonymous, len(c.from.anonymous)-1, len(c.from.anonymous))
	l.anonymous--
}

// CloseAnonymous closes the anonymous connections.
func (l *Limits) CloseAnonymous() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.networks {
		for _, c := range n.anonymous {
			_ = c.Conn.Close() // anonymous
		}
	}
}

// Total returns how many connections there are.
func (l *Limits) Total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// Conn gives its place back when it is closed.
type Conn struct {
	net.Conn
	limits *Limits
	from   *network
	name   string

	// limits.mu guards these.
	counted, owned bool
	at             int // in from.anonymous
}

// Own notes that a client has shown whose the connection is. It is false when the
// connection was dropped meanwhile.
func (c *Conn) Own() bool {
	c.limits.mu.Lock()
	defer c.limits.mu.Unlock()
	if c.counted {
		c.limits.own(c)
	}
	return c.counted
}

// Disown makes the connection anonymous again.
func (c *Conn) Disown() {
	c.limits.mu.Lock()
	defer c.limits.mu.Unlock()
	c.limits.disown(c)
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.limits.mu.Lock()
	c.limits.remove(c)
	c.limits.mu.Unlock()
	return c.Conn.Close()
}
