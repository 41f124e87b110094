package gitserver

import (
	"net"
	"sync"
	"time"
)

// connLimits counts connections, in all and by address. Zero: no limit.
type connLimits struct {
	max, maxPerAddress int

	mu        sync.Mutex
	total     int
	byAddress map[string]int
}

// admit counts a connection in, or returns nil when there are too many. Until
// its deadline is lifted the connection is closed after handshake.
func (l *connLimits) admit(conn net.Conn, handshake time.Duration) *countedConn {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		host = conn.RemoteAddr().String()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.max > 0 && l.total >= l.max || l.maxPerAddress > 0 && l.byAddress[host] >= l.maxPerAddress {
		return nil
	}
	if l.byAddress == nil {
		l.byAddress = map[string]int{}
	}
	l.total++
	l.byAddress[host]++
	c := &countedConn{Conn: conn, quickAck: quickAck(conn), release: sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.total--
		if l.byAddress[host]--; l.byAddress[host] == 0 {
			delete(l.byAddress, host)
		}
	})}
	if handshake > 0 {
		c.deadline = time.AfterFunc(handshake, func() {
			_ = conn.Close()
			c.release()
		})
	}
	return c
}

// countedConn gives its place back when it is closed.
type countedConn struct {
	net.Conn
	release  func()
	quickAck func()
	deadline *time.Timer
}

// Read reads what there is, after what came before is acknowledged.
func (c *countedConn) Read(b []byte) (int, error) {
	c.quickAck()
	return c.Conn.Read(b)
}

// authenticated lifts the handshake deadline.
func (c *countedConn) authenticated() {
	if c.deadline != nil {
		c.deadline.Stop()
	}
}

// Close closes the connection.
func (c *countedConn) Close() error {
	c.authenticated()
	defer c.release()
	return c.Conn.Close()
}
