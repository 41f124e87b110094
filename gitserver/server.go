// Package gitserver serves git over SSH, and the commands that a user may type: it lets users log in by their keys or by
// certificates, bounds what each of them and each network may have open, asks what they may do, and has package protocol
// speak with their git over the session.
//
// A Server is made once and serves until the context of Serve ends; then connections without a session are closed,
// and sessions have a time to end in. What a user may do is asked again before anything takes effect, and while what is
// followed goes on: keys and roles may be revoked meanwhile.
package gitserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/protocol"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/internal/connlimit"
	"github.com/fandoghpaas/fandogh/internal/language"
)

// Config is what a Server needs. The limits and times are those of package config, but for KeepAlive.
type Config struct {
	Store        catalog.Store
	Repositories *repository.Repositories
	LFS          *lfs.Server
	Receiver     catalog.PostReceiver
	Admission    catalog.Admission   // of pushes; nil: there is always room
	Tags         catalog.TagVerifier // nil: nothing is known of who signed tags
	Logs         catalog.BuildLogs
	Control      catalog.BuildControl
	GitHub       catalog.GitHubControl    // nil: without its commands
	Secrets      catalog.SecretControl    // nil: there are no commands for them
	Retention    catalog.RetentionControl // nil: there are no commands for it
	Transfers    catalog.TransferControl  // nil: there is no command for it
	HostKeyDir   string                   // of ssh_host_…_key files, made at the first start, mode 0600
	Address      string                   // "host:port" as users reach it, for hints; "" names no host
	Version      string                   // of this program, for the greeting
	// TrustedUserCA is a file of public keys, one a line: certificates that they
	// signed log their principals in. "": none do.
	TrustedUserCA string

	MaxPackBytes             int64         // of one push; 0: no limit, as of the two that follow
	MaxObjectBytes           int64         // of one file
	MaxObjects               int64         // of one push
	HandshakeTimeout         time.Duration // until the key is accepted, and from a session's start to its command
	IdleTimeout              time.Duration // of a connection without a session; of a session that waits for the client
	TotalTimeout             time.Duration // of one connection
	KeepAlive                time.Duration // longest silence while a client waits; 5 s
	ShutdownGrace            time.Duration // for sessions when Serve ends
	MaxConnections           int           // a quarter of them not logged in
	MaxConnectionsPerAddress int           // or IPv6 /64
	MaxPerUser               int           // connections, and sessions, of one user

	// Pushed is told of each push, as protocol.PushConfig has it.
	Pushed func(bytes int64, took time.Duration, refused bool)
	Tracer trace.Tracer // nil: nothing is traced
	Logger hclog.Logger
}

func (c Config) withDefaults() Config {
	c.KeepAlive = cmp.Or(c.KeepAlive, 5*time.Second)
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return c
}

// Server is the SSH server.
type Server struct {
	config      Config
	keys        []gossh.Signer
	announced   []gossh.Signer // keys, and the next
	ssh         *gossh.ServerConfig
	limits      connlimit.Limits
	dropped     seldom
	open        openConnections
	connections counts // of users
	perUser     counts // their sessions
	pushes      *protocol.PushHandler
	fetches     *protocol.FetchHandler
	handlers    sync.WaitGroup // of connections
	sessions    sync.WaitGroup
	base        context.Context // ends when sessions must
	stop        context.CancelFunc
}

// New makes a server and, at the first start, its host keys.
func New(config Config) (*Server, error) {
	c := config.withDefaults()
	keys, err := serverKeys(c.HostKeyDir)
	if err != nil {
		return nil, err
	}
	next, err := nextKeys(c.HostKeyDir)
	if err != nil {
		return nil, err
	}
	if _, err := readAuthorities(c.TrustedUserCA); err != nil {
		return nil, fmt.Errorf("read the SSH certificate authorities: %w", err)
	}
	s := &Server{
		config: c, keys: keys, announced: slices.Concat(keys, next),
		limits: connlimit.Limits{Max: c.MaxConnections, PerNetwork: c.MaxConnectionsPerAddress},
		pushes: protocol.NewPushHandler(protocol.PushConfig{
			Repositories: c.Repositories, Images: c.Store, Keys: c.Store, Tags: c.Tags, Receiver: c.Receiver, Admission: c.Admission,
			Limits:    objects.Limits{PackBytes: c.MaxPackBytes, ObjectBytes: c.MaxObjectBytes, Objects: c.MaxObjects},
			KeepAlive: c.KeepAlive, Pushed: c.Pushed, Tracer: c.Tracer, Logger: c.Logger,
		}),
		fetches: protocol.NewFetchHandler(c.Repositories, c.KeepAlive),
	}
	s.base, s.stop = context.WithCancel(context.Background())
	s.ssh = s.sshConfig(keys)
	return s, nil
}

// HostKey returns the server's public key, the Ed25519 one of several.
func (s *Server) HostKey() gossh.PublicKey { return s.keys[0].PublicKey() }

// Connections returns how many connections there are.
func (s *Server) Connections() int { return s.limits.Total() }

// lastWait is how long sessions whose connections were closed have to notice.
const lastWait = 5 * time.Second

// Serve accepts connections until ctx ends, and closes listener. Then sessions
// have the grace time to end, and it returns nil when all have. Connections
// without a session are closed at once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	accepted := make(chan error, 1)
	go func() { accepted <- s.acceptAll(ctx, listener) }()
	var err error
	select {
	case err = <-accepted: // the listener broke
	case <-ctx.Done():
		for _, ended := range []error{listener.Close(), <-accepted} {
			if !errors.Is(ended, net.ErrClosed) {
				err = errors.Join(err, ended)
			}
		}
	}
	s.limits.CloseAnonymous()
	s.open.stop()
	if !waitFor(&s.sessions, s.config.ShutdownGrace) {
		s.config.Logger.Info("closing the remaining sessions", "grace", s.config.ShutdownGrace)
	}
	s.stop()
	s.open.close()
	if !waitFor(&s.sessions, lastWait) || !waitFor(&s.handlers, lastWait) {
		s.config.Logger.Warn("some sessions are still running although their connections are closed")
	}
	return err
}

// waitFor reports whether a group was done within a time.
func waitFor(group *sync.WaitGroup, most time.Duration) bool {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(most):
		return false
	}
}

// acceptAll serves connections until the listener is closed.
func (s *Server) acceptAll(ctx context.Context, listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil { // want of file descriptors, most likely
			s.config.Logger.Error("failed to accept a connection", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		admitted, dropped := s.limits.Admit(quickAcked{conn, quickAck(conn)})
		if admitted == nil || dropped {
			if n := s.dropped.more(); n > 0 {
				s.config.Logger.Warn("too many connections; dropped some that had not logged in", "dropped", n, "last", conn.RemoteAddr())
			}
		}
		if admitted == nil {
			_ = conn.Close() // unused
			continue
		}
		s.handlers.Go(func() { s.serve(admitted) })
	}
}

// quickAcked acknowledges what came before it reads what there is.
type quickAcked struct {
	net.Conn
	acknowledge func()
}

func (q quickAcked) Read(b []byte) (int, error) {
	q.acknowledge()
	return q.Conn.Read(b)
}

// seldom counts what happens too often to log each time.
type seldom struct {
	count int
	said  time.Time
}

// more counts one more, and returns how many there were since it last did, once a
// minute; else 0.
func (s *seldom) more() int {
	s.count++
	if time.Since(s.said) < time.Minute {
		return 0
	}
	n := s.count
	s.count, s.said = 0, time.Now()
	return n
}

// auditLog takes a line for each thing that a user did.
func (s *Server) auditLog(user string, from net.Addr) hclog.Logger {
	log := s.config.Logger.ResetNamed("audit")
	log.SetLevel(hclog.Info) // whatever else is logged
	return log.With("via", "ssh", "user", user, "from", from)
}

// run turns a fault of ours in one session into that session's error.
func (s *Server) run(sess *session) (status int) {
	l := sess.conn.login
	if forced := l.forced(); forced != "" {
		sess.command, sess.subsystem = forced, ""
	}
	log := s.config.Logger.With("address", sess.conn.ssh.RemoteAddr(), "command", sess.command)
	defer func() {
		if fault := recover(); fault != nil {
			log.Error("a session crashed", "fault", fmt.Sprint(fault))
			status = exitStatus(errors.New("fault"))
		}
	}()
	id, err := s.identify(sess.ctx, l)
	c := &client{server: s, session: sess, id: id, speaker: language.Speaker{Language: language.OfLocale(sess.locale.get), Texts: persian}}
	if err != nil {
		return exitStatus(c.show(err))
	}
	err = c.dispatch(sess.ctx)
	if err != nil {
		log.Debug("session ended", "user", id.User.Name, "error", err)
		if catalog.CodeOf(err) == catalog.Internal && sess.ctx.Err() == nil {
			log.Error("session failed", "user", id.User.Name, "error", err)
		}
	}
	return exitStatus(err)
}
