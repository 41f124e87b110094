package gitserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gliderlabs/ssh"
	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// Config is what a Server needs. Zero limits and times take the defaults
// named beside them.
type Config struct {
	Store        catalog.Store
	Repositories *Repositories
	Receiver     catalog.PostReceiver
	Logs         catalog.BuildLogs
	Control      catalog.BuildControl
	GitHub       catalog.GitHubControl // nil: without its commands
	HostKeyFile  string                // made at the first start, mode 0600
	Address      string                // "host:port" as users reach it, for hints; "" names no host

	MaxPackBytes             int64         // of one push; 2 GiB
	MaxObjectBytes           int64         // of one file; 512 MiB
	MaxObjects               int64         // of one push; 2,000,000
	HandshakeTimeout         time.Duration // until the key is accepted; 30 s
	IdleTimeout              time.Duration // without a byte from the client that we wait for; 10 min
	TotalTimeout             time.Duration // of one connection; 12 h
	KeepAlive                time.Duration // longest silence while a client waits; 5 s
	ShutdownGrace            time.Duration // for sessions when Serve ends; 10 s
	MaxConnections           int           // 512
	MaxConnectionsPerAddress int           // 64

	Tracer trace.Tracer // nil: nothing is traced
	Logger hclog.Logger
}

func (c Config) withDefaults() Config {
	orInt(&c.MaxPackBytes, 2<<30)
	orInt(&c.MaxObjectBytes, 512<<20)
	orInt(&c.MaxObjects, 2_000_000)
	orInt(&c.HandshakeTimeout, 30*time.Second)
	orInt(&c.IdleTimeout, 10*time.Minute)
	orInt(&c.TotalTimeout, 12*time.Hour)
	orInt(&c.KeepAlive, 5*time.Second)
	orInt(&c.ShutdownGrace, 10*time.Second)
	orInt(&c.MaxConnections, 512)
	orInt(&c.MaxConnectionsPerAddress, 64)
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return c
}

func orInt[T ~int | ~int64](value *T, fallback T) {
	if *value == 0 {
		*value = fallback
	}
}

// Server is the SSH server.
type Server struct {
	Config
	hostKey  gossh.Signer
	limits   connLimits
	receive  receivePack
	upload   uploadPack
	sessions sync.WaitGroup
	base     context.Context // ends when sessions must
	stop     context.CancelFunc
}

type contextKey string

const (
	connKey contextKey = "conn"
	// userKey is of the name of who logged in, fingerprintKey of the key that proved it.
	userKey        contextKey = "user"
	fingerprintKey contextKey = "fingerprint"
)

// New makes a server and, at the first start, its host key.
func New(config Config) (*Server, error) {
	c := config.withDefaults()
	key, err := hostKey(c.HostKeyFile)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Config: c, hostKey: key,
		limits: connLimits{max: c.MaxConnections, maxPerAddress: c.MaxConnectionsPerAddress},
		receive: receivePack{
			repos: c.Repositories, images: c.Store, receiver: c.Receiver,
			limits:    objects.Limits{PackBytes: c.MaxPackBytes, ObjectBytes: c.MaxObjectBytes, Objects: c.MaxObjects},
			keepAlive: c.KeepAlive, tracer: c.Tracer, log: c.Logger,
		},
		upload: uploadPack{repos: c.Repositories, keepAlive: c.KeepAlive},
	}
	s.base, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// HostKey returns the server's public key.
func (s *Server) HostKey() gossh.PublicKey { return s.hostKey.PublicKey() }

// Serve accepts connections until ctx ends, and closes listener. Then sessions
// have the grace time to end, and it returns nil when all have.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &ssh.Server{
		Handler:              s.handle,
		HostSigners:          []ssh.Signer{s.hostKey},
		Version:              "Fandogh",
		PublicKeyHandler:     s.acceptKey,
		ConnCallback:         s.admit,
		ServerConfigCallback: s.sshConfig,

		ConnectionFailedCallback: s.refused,
		IdleTimeout:              s.IdleTimeout,
		MaxTimeout:               s.TotalTimeout,
		ChannelHandlers:          map[string]ssh.ChannelHandler{"session": s.openSession},
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		s.stop()
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	// Closed here too: a server that was not serving yet does not know it.
	closeErr := listener.Close()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.ShutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		s.Logger.Info("closing the sessions that are left", "grace", s.ShutdownGrace)
	}
	s.stop()
	err := server.Close()
	s.sessions.Wait()
	s.Logger.Debug("no longer serving", "reason", <-served)
	if errors.Is(closeErr, net.ErrClosed) {
		closeErr = nil
	}
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(closeErr, err)
}

func (s *Server) admit(ctx ssh.Context, conn net.Conn) net.Conn {
	counted := s.limits.admit(conn, s.HandshakeTimeout)
	if counted == nil {
		s.Logger.Warn("too many connections", "address", conn.RemoteAddr())
		return nil
	}
	ctx.SetValue(connKey, counted)
	return counted
}

func (s *Server) sshConfig(ctx ssh.Context) *gossh.ServerConfig {
	return &gossh.ServerConfig{
		MaxAuthTries: 20, // agents offer every key they hold
		AuthLogCallback: func(_ gossh.ConnMetadata, method string, err error) {
			if err != nil {
				return
			}
			if conn, ok := ctx.Value(connKey).(*countedConn); ok {
				conn.authenticated()
			}
			if user, ok := ctx.Value(userKey).(string); ok {
				s.auditLog(user, ctx.RemoteAddr()).Info("login", "key", ctx.Value(fingerprintKey))
			}
		},
	}
}

// acceptKey tells whether a key is somebody's. The last key it accepts on a
// connection is the one the client proves to have.
func (s *Server) acceptKey(ctx ssh.Context, key ssh.PublicKey) bool {
	fingerprint := gossh.FingerprintSHA256(key)
	user, err := s.Store.UserByKey(ctx, fingerprint)
	if err != nil {
		if catalog.CodeOf(err) != catalog.NotFound {
			s.Logger.Error("look up a key", "fingerprint", fingerprint, "error", err)
		} else {
			s.Logger.Debug("unknown key", "fingerprint", fingerprint, "address", ctx.RemoteAddr())
		}
		return false
	}
	ctx.SetValue(userKey, user.Name)
	ctx.SetValue(fingerprintKey, fingerprint)
	return true
}

// identify finds the user of a session's key, for each session again: a
// connection may be kept open for long after the key was removed.
func (s *Server) identify(sess ssh.Session) (catalog.Identity, error) {
	key := sess.PublicKey()
	if key == nil {
		return catalog.Identity{}, catalog.Errorf(catalog.Unauthorized, "no key")
	}
	user, err := s.Store.UserByKey(sess.Context(), gossh.FingerprintSHA256(key))
	if catalog.CodeOf(err) == catalog.NotFound {
		err = catalog.Wrap(catalog.Unauthorized, err, "this connection's key is nobody's any more; connect again with another one")
	}
	return catalog.Identity{User: user, Scope: catalog.ScopeWrite}, err
}

// refused is told of connections that did not get as far as a session.
func (s *Server) refused(conn net.Conn, err error) {
	var auth *gossh.ServerAuthError
	if errors.As(err, &auth) {
		s.auditLog("", conn.RemoteAddr()).Info("login failed")
	}
}

// auditLog takes a line for each thing that somebody did.
func (s *Server) auditLog(user string, from net.Addr) hclog.Logger {
	return s.Logger.ResetNamed("audit").With("face", "ssh", "user", user, "from", from)
}

// sessionContext ends with its channel, while an ssh.Context ends with the
// whole connection.
type sessionContext struct {
	ssh.Context
	done context.Context
}

func (c sessionContext) Done() <-chan struct{} { return c.done.Done() }
func (c sessionContext) Err() error            { return c.done.Err() }

func (s *Server) openSession(server *ssh.Server, conn *gossh.ServerConn, channel gossh.NewChannel, ctx ssh.Context) {
	done, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.probe(done, conn)
	// It returns when the client closed the channel.
	ssh.DefaultSessionHandler(server, conn, channel, sessionContext{ctx, done})
}

// probe closes a connection whose client does not answer any more.
func (s *Server) probe(ctx context.Context, conn gossh.Conn) {
	interval := 3 * s.KeepAlive
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		dead := time.AfterFunc(8*interval, func() { _ = conn.Close() })
		_, _, err := conn.SendRequest("keepalive@openssh.com", true, nil)
		dead.Stop()
		if err != nil {
			return
		}
	}
}

// idleReader closes the connection when the client sends nothing for too long
// while it is its turn.
type idleReader struct {
	ssh.Session
	timeout time.Duration
	close   func()
}

func (r idleReader) Read(p []byte) (int, error) {
	timer := time.AfterFunc(r.timeout, r.close)
	defer timer.Stop()
	return r.Session.Read(p)
}

func (s *Server) handle(sess ssh.Session) {
	s.sessions.Add(1)
	defer s.sessions.Done()
	if _, windows, ok := sess.Pty(); ok {
		go func() {
			for range windows { // else the client's resizing blocks its channel
			}
		}()
	}
	status := s.run(sess)
	_ = sess.Exit(status) // a client that is gone needs no status
}

// run turns a fault of ours in one session into that session's error.
func (s *Server) run(sess ssh.Session) (status int) {
	log := s.Logger.With("address", sess.RemoteAddr(), "command", sess.RawCommand())
	defer func() {
		if fault := recover(); fault != nil {
			log.Error("a session broke", "fault", fmt.Sprint(fault))
			status = exitStatus(errors.New("fault"))
		}
	}()
	id, err := s.identify(sess)
	c := &client{Server: s, session: sess, id: id}
	if err != nil {
		return exitStatus(c.show(err))
	}
	err = c.dispatch(sess.Context())
	if err != nil {
		log.Debug("session ended", "user", id.User.Name, "error", err)
		if catalog.CodeOf(err) == catalog.Internal && sess.Context().Err() == nil {
			log.Error("session failed", "user", id.User.Name, "error", err)
		}
	}
	return exitStatus(err)
}
