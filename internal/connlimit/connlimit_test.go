package connlimit

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

type namedAddr string

func (a namedAddr) Network() string { return "tcp" }
func (a namedAddr) String() string  { return string(a) }

// end is one of a connection whose address is what the test says.
type end struct {
	net.Conn
	from   namedAddr
	closed bool
}

func (e *end) RemoteAddr() net.Addr { return e.from }
func (e *end) Close() error         { e.closed = true; return nil }

// crowd admits connections and knows them.
type crowd struct {
	*Limits
	ends []*end
}

func (c *crowd) come(from string) *Conn {
	e := &end{from: namedAddr(from)}
	admitted, _ := c.Admit(e)
	if admitted != nil {
		c.ends = append(c.ends, e)
	}
	return admitted
}

// open counts the connections from an address that were not closed.
func (c *crowd) open(from string) (n int) {
	for _, e := range c.ends {
		if e.from == namedAddr(from) && !e.closed {
			n++
		}
	}
	return n
}

func TestWhoIsDroppedBeforeTheLogin(t *testing.T) {
	const attacker, user, other = "192.0.2.1:1", "198.51.100.1:1", "[2001:db8::1]:1"
	t.Run("the busiest network", func(t *testing.T) {
		c := &crowd{Limits: &Limits{Max: 40, PerNetwork: 40}} // 10 not logged in
		c.come(user)
		for range 200 {
			if c.come(attacker) == nil {
				t.Fatal("a newcomer is refused while there is a connection to drop")
			}
		}
		c.come(other)
		if c.open(user) != 1 || c.open(other) != 1 || c.open(attacker) != 8 {
			t.Errorf("open are %d of the user, %d of another, %d of the attacker", c.open(user), c.open(other), c.open(attacker))
		}
	})
	t.Run("none of a user who is logged in", func(t *testing.T) {
		c := &crowd{Limits: &Limits{Max: 8, PerNetwork: 8}}
		for range 6 {
			if !c.come(user).Own() {
				t.Fatal("a login does not count")
			}
		}
		for range 50 {
			c.come(attacker)
		}
		if c.open(user) != 6 || c.open(attacker) != 2 {
			t.Errorf("open are %d logged in and %d that are not", c.open(user), c.open(attacker))
		}
	})
	t.Run("a /64 is one network", func(t *testing.T) {
		c := &crowd{Limits: &Limits{Max: 100, PerNetwork: 3}}
		hosts := []string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"}
		for _, host := range hosts {
			c.come(host).Own()
		}
		if c.come("[2001:db8::4]:1") != nil {
			t.Error("a fourth of the /64 is admitted")
		}
		if c.come("[2001:db8:0:1::4]:1") == nil {
			t.Error("another /64 is refused")
		}
	})
	t.Run("all are logged in", func(t *testing.T) {
		c := &crowd{Limits: &Limits{Max: 4}}
		for range 4 {
			c.come(user).Own()
		}
		if c.come(other) != nil {
			t.Error("one more than there may be is admitted")
		}
	})
	t.Run("whom many are behind", func(t *testing.T) {
		c := &crowd{Limits: &Limits{Max: 100, PerNetwork: 2, Many: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}}
		for range 10 {
			if !c.come(user).Own() {
				t.Fatal("dropped")
			}
		}
		if c.come(attacker); c.open(user) != 10 {
			t.Errorf("open are %d", c.open(user))
		}
	})
	t.Run("what is anonymous again", func(t *testing.T) {
		c := &crowd{Limits: &Limits{Max: 8}}
		conn := c.come(user)
		for range 3 { // as often as it likes
			conn.Own()
			conn.Own()
			conn.Disown()
			conn.Disown()
		}
		if c.anonymous != 1 {
			t.Errorf("%d are anonymous", c.anonymous)
		}
		c.come(other)
		c.come(other)
		if c.open(user)+c.open(other) != 2 || conn.Own() != (c.open(user) == 1) {
			t.Error("it could not be dropped")
		}
		conn.Disown()
		_ = conn.Close()
		if c.total != c.open(other) {
			t.Errorf("%d in all", c.total)
		}
	})
	t.Run("one that was dropped can't log in", func(t *testing.T) {
		c := &crowd{Limits: &Limits{Max: 4}} // 1 not logged in
		first := c.come(user)
		c.come(other)
		if first.Own() {
			t.Error("it logs in")
		}
	})
	t.Run("places come back", func(t *testing.T) {
		c := &crowd{Limits: &Limits{Max: 400, PerNetwork: 50}}
		var all []*Conn
		for i, from := range slices.Repeat([]string{attacker, user, other}, 20) {
			conn := c.come(from)
			if i%2 == 0 {
				conn.Own()
			}
			all = append(all, conn, conn) // a connection may be closed twice
		}
		for _, conn := range all {
			_ = conn.Close()
		}
		if c.total != 0 || c.anonymous != 0 || len(c.networks) != 0 {
			t.Errorf("left are %d, %d not logged in, %v", c.total, c.anonymous, c.networks)
		}
	})
}
