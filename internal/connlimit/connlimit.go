// Package connlimit bounds how many connections a server has, such that who fills
// the places keeps nobody out.
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
// nobody's yet, of which there are at most a quarter of all, so that they
// never take the places of the others. Zero: no limit.
//
// When there is no place, a newcomer takes that of one that is nobody's, of
// the network that has most of those, by lot. Refusing newcomers instead would let
// whoever fills the places shut everybody out.
type Limits struct {
	Max, PerNetwork int
	// Many are addresses behind which there may be many clients: PerNetwork is not
	// for them.
	Many []netip.Prefix

	mu       sync.Mutex
	total    int
	nobodys  int
	networks map[string]*network
}

// network is where connections come from.
type network struct {
	total   int
	nobodys []*Conn
}

// Admit counts a connection in, as nobody's. Where there is no place it closes another one,
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
	case l.Max > 0 && (l.total >= l.Max || l.nobodys >= max(1, l.Max/4)):
		victim = l.busiest().any()
	default:
		return l.add(conn, name), false
	}
	if victim == nil {
		return nil, false
	}
	l.remove(victim)
	_ = victim.Conn.Close() // nobody's
	return l.add(conn, name), true
}

func (l *Limits) hasMany(from string) bool {
	address, err := netip.ParseAddrPort(from)
	return err == nil && slices.ContainsFunc(l.Many, func(p netip.Prefix) bool { return p.Contains(address.Addr().Unmap()) })
}

// busiest returns the network with most connections that are nobody's; of
// several, any.
func (l *Limits) busiest() *network {
	var most *network
	for _, n := range l.networks {
		if most == nil || len(n.nobodys) > len(most.nobodys) {
			most = n
		}
	}
	return most
}

func (n *network) any() *Conn {
	if len(n.nobodys) == 0 {
		return nil
	}
	return n.nobodys[rand.IntN(len(n.nobodys))] //nolint:gosec // no secret
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

// disown puts a connection to those that are nobody's.
func (l *Limits) disown(c *Conn) {
	if !c.owned || !c.counted {
		return
	}
	c.owned = false
	c.at = len(c.from.nobodys)
	c.from.nobodys = append(c.from.nobodys, c)
	l.nobodys++
}

// own takes a connection off those that are nobody's.
func (l *Limits) own(c *Conn) {
	if c.owned {
		return
	}
	c.owned = true
	last := c.from.nobodys[len(c.from.nobodys)-1]
	c.from.nobodys[c.at], last.at = last, c.at
	c.from.nobodys = slices.Delete(c.from.nobodys, len(c.from.nobodys)-1, len(c.from.nobodys))
	l.nobodys--
}

// CloseNobodys closes the connections that are nobody's.
func (l *Limits) CloseNobodys() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.networks {
		for _, c := range n.nobodys {
			_ = c.Conn.Close() // nobody's
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
	at             int // in from.nobodys
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

// Disown makes the connection nobody's again.
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
