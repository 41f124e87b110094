package gitserver

import (
	"context"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/connlimit"
)

// connection is one that a user logged in over.
type connection struct {
	server *Server
	ssh    *gossh.ServerConn
	login  *login
	ctx    context.Context // ends with the connection, or when the server stops

	mu       sync.Mutex
	count    int         // of open sessions
	stopping bool        // no new sessions
	idle     *time.Timer // closes the connection when it has had no session for long
}

// serve lets a client log in and serves its sessions until it is gone.
func (s *Server) serve(conn *connlimit.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(s.config.HandshakeTimeout)) // fails with the connection alone
	offered := false
	config := *s.ssh
	config.PublicKeyCallback = func(meta gossh.ConnMetadata, key gossh.PublicKey) (*gossh.Permissions, error) {
		offered = true
		return s.acceptKey(meta, key)
	}
	server, channels, requests, err := gossh.NewServerConn(conn, &config)
	if err != nil {
		s.refused(conn.RemoteAddr(), offered, err)
		return
	}
	l, _ := server.Permissions.ExtraData[loginKey{}].(*login)
	if !conn.Own() || !s.connections.take(l.user.ID, s.config.MaxPerUser) {
		return
	}
	defer s.connections.give(l.user.ID)
	_ = conn.SetDeadline(time.Time{})
	s.auditLog(l.user.Name, conn.RemoteAddr()).Info("login", l.fields()...)

	ctx, cancel := context.WithCancel(s.base)
	defer cancel()
	c := &connection{server: s, ssh: server, login: l, ctx: ctx}
	closeConn := func() { _ = server.Close() }
	defer time.AfterFunc(s.config.TotalTimeout, closeConn).Stop()
	c.idle = time.AfterFunc(s.config.IdleTimeout, closeConn)
	defer c.idle.Stop()
	defer s.open.add(c)()
	go c.probe()
	go c.answer(requests)
	c.notifyKeys()
	for channel := range channels {
		c.accept(channel)
	}
}

// answer proves the host keys, once, and refuses whatever else clients ask of the
// connection as a whole; port forwarding is such a request, and so is the question
// whether we are there.
func (c *connection) answer(requests <-chan *gossh.Request) {
	proved := false
	for r := range requests {
		var proof []byte
		if r.Type == proveHostKeys && !proved {
			proved = true
			proof = c.proveKeys(r.Payload)
		}
		_ = r.Reply(proof != nil, proof) // fails with the connection alone
	}
}

// accept opens a session, and refuses any other channel.
func (c *connection) accept(channel gossh.NewChannel) {
	refuse := func(reason gossh.RejectionReason, why string) {
		c.server.config.Logger.Debug("refused a channel", "user", c.login.user.Name, "type", channel.ChannelType(), "reason", why)
		_ = channel.Reject(reason, why) // fails with the connection alone
	}
	if channel.ChannelType() != "session" {
		refuse(gossh.Prohibited, "forwarding is not supported; use git or the commands that help lists")
		return
	}
	if why := c.begin(); why != "" {
		refuse(gossh.ResourceShortage, why)
		return
	}
	opened, requests, err := channel.Accept()
	if err != nil {
		c.end()
		return
	}
	s := &session{channel: opened, conn: c}
	go func() {
		defer c.end()
		s.serve(requests)
	}()
}

// begin counts a session in, or returns why there may be no more.
func (c *connection) begin() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopping:
		return "the server is shutting down; try again later"
	case c.count >= maxSessions:
		return "this connection has reached its limit of sessions; open another connection"
	case !c.server.perUser.take(c.login.user.ID, c.server.config.MaxPerUser):
		return c.login.user.Name + " has reached the limit of sessions per user; try again when some have ended"
	}
	c.count++
	c.server.sessions.Add(1)
	c.idle.Stop()
	return ""
}

func (c *connection) end() {
	defer c.server.sessions.Done()
	c.server.perUser.give(c.login.user.ID)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count--; c.count > 0 {
		return
	}
	if c.stopping {
		_ = c.ssh.Close()
		return
	}
	c.idle.Reset(c.server.config.IdleTimeout)
}

// refuseSessions lets no session begin any more, and has the last one close the connection.
func (c *connection) refuseSessions() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
}

// closeIdle closes the connection if it has no session.
func (c *connection) closeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == 0 {
		_ = c.ssh.Close()
	}
}

// probe closes a connection whose client does not answer any more, or whose user may not be
// here any more.
func (c *connection) probe() {
	interval := 3 * c.server.config.KeepAlive
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
		}
		user, err := c.server.config.Store.UserByID(c.ctx, c.login.user.ID)
		if catalog.CodeOf(err) == catalog.NotFound || err == nil && user.Disabled() {
			_ = c.ssh.Close()
			return
		}
		dead := time.AfterFunc(8*interval, func() { _ = c.ssh.Close() })
		_, _, err = c.ssh.SendRequest("keepalive@openssh.com", true, nil)
		dead.Stop()
		if err != nil {
			return
		}
	}
}

// openConnections are those that users logged in over.
type openConnections struct {
	mu       sync.Mutex
	all      map[*connection]struct{}
	stopping bool
}

// add notes a connection until the returned function is called.
func (o *openConnections) add(c *connection) (remove func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = map[*connection]struct{}{}
	}
	o.all[c] = struct{}{}
	if o.stopping {
		c.refuseSessions()
		c.closeIdle()
	}
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.all, c)
	}
}

// stop lets no session begin any more, and closes connections as they have none.
func (o *openConnections) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopping = true
	// All of them before any client can tell: who sees one connection closed gets no session over another.
	for c := range o.all {
		c.refuseSessions()
	}
	for c := range o.all {
		c.closeIdle()
	}
}

// close closes all connections, whatever they do.
func (o *openConnections) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.all {
		_ = c.ssh.Close()
	}
}
