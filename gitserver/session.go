package gitserver

import (
	"bytes"
	"context"
	"io"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	// maxSessions is how many sessions a connection may have at once, as sshd has it.
	maxSessions = 10
	// maxCommand bounds a command, in bytes.
	maxCommand = 8 << 10
	// maxProtocol bounds GIT_PROTOCOL, in bytes.
	maxProtocol = 256
	// maxLocale bounds what LANG and its like are set to, in bytes.
	maxLocale = 64
)

// session is one command of a client.
type session struct {
	channel   gossh.Channel
	conn      *connection
	ctx       context.Context // ends with the session
	command   string          // as it was sent; "" asks for a shell
	subsystem string          // "" for a command
	protocol  string          // what GIT_PROTOCOL was set to
	locale    locale
	terminal  bool // the client is one, in raw mode
}

// locale is what a client has set of the variables that say in which language it reads.
type locale struct{ all, messages, lang string }

// get is for language.OfLocale.
func (l *locale) get(name string) string {
	if value := l.variable(name); value != nil {
		return *value
	}
	return ""
}

// variable is the place of a variable, nil for one that is not taken.
func (l *locale) variable(name string) *string {
	switch name {
	case "LC_ALL":
		return &l.all
	case "LC_MESSAGES":
		return &l.messages
	case "LANG":
		return &l.lang
	}
	return nil
}

// serve waits for the command, runs it, and returns when the client has closed
// the session, too.
func (s *session) serve(requests <-chan *gossh.Request) {
	ctx, cancel := context.WithCancel(s.conn.ctx)
	defer cancel()
	s.ctx = ctx
	late := time.AfterFunc(s.conn.server.config.HandshakeTimeout, s.hangUp)
	defer late.Stop()
	var done chan struct{}
	for r := range requests {
		ok, begin := s.answer(r, done != nil)
		_ = r.Reply(ok, nil) // fails with the connection alone
		if begin {
			late.Stop()
			done = make(chan struct{})
			go func() {
				defer close(done)
				s.exit(s.conn.server.run(s))
			}()
		}
	}
	cancel()
	if done != nil {
		<-done
	}
}

// answer takes one request of the client. begin reports that the command is known.
func (s *session) answer(r *gossh.Request, running bool) (ok, begin bool) {
	var text struct{ Value string }
	var pair struct{ Name, Value string }
	switch {
	case running: // all that could follow is of no use here, such as a window's size
	case r.Type == "shell":
		return true, true
	case r.Type == "exec":
		err := gossh.Unmarshal(r.Payload, &text)
		s.command = text.Value
		return err == nil, err == nil
	case r.Type == "subsystem":
		err := gossh.Unmarshal(r.Payload, &text)
		s.subsystem = text.Value
		return err == nil, err == nil
	case r.Type == "pty-req":
		s.terminal = true
		return true, false
	case r.Type == "env":
		if gossh.Unmarshal(r.Payload, &pair) == nil {
			return s.setenv(pair.Name, pair.Value), false
		}
	}
	return false, false
}

// setenv takes a variable that means something here.
func (s *session) setenv(name, value string) bool {
	if name == "GIT_PROTOCOL" && len(value) <= maxProtocol {
		s.protocol = value
		return true
	}
	if at := s.locale.variable(name); at != nil && len(value) <= maxLocale {
		*at = value
		return true
	}
	return false
}

// exit ends the session with a status. A client that is gone needs none.
func (s *session) exit(status int) {
	_, _ = s.channel.SendRequest("exit-status", false, gossh.Marshal(struct{ Status uint32 }{uint32(status)})) //nolint:gosec // a small number
	s.hangUp()
}

// hangUp ends the session. A client that does not agree loses its connection.
func (s *session) hangUp() {
	unwilling := time.AfterFunc(s.conn.server.config.IdleTimeout, func() { _ = s.conn.ssh.Close() })
	context.AfterFunc(s.ctx, func() { unwilling.Stop() })
	_ = s.channel.Close() // fails with the connection alone
}

// Environ returns the variables that the client has set, of those that mean
// something to git: GIT_PROTOCOL=….
func (s *session) Environ() []string {
	if s.protocol == "" {
		return nil
	}
	return []string{"GIT_PROTOCOL=" + s.protocol}
}

// Read reads from the client's standard input.
func (s *session) Read(p []byte) (int, error) { return s.channel.Read(p) }

// Write writes to the client's standard output.
func (s *session) Write(p []byte) (int, error) { return s.write(s.channel, p) }

// Stderr is the client's standard error.
func (s *session) Stderr() io.Writer {
	return writerFunc(func(p []byte) (int, error) { return s.write(s.channel.Stderr(), p) })
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// write hangs up when the client takes nothing for too long.
func (s *session) write(w io.Writer, p []byte) (int, error) {
	defer time.AfterFunc(s.conn.server.config.IdleTimeout, s.hangUp).Stop()
	if !s.terminal {
		return w.Write(p)
	}
	// What a terminal in raw mode wants.
	text := bytes.ReplaceAll(bytes.ReplaceAll(p, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	if _, err := w.Write(text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// pushTimeouts is how many times as long as others a client that pushes may be
// silent once it has begun: it may be compressing.
const pushTimeouts = 6

// idleReader hangs up when the client sends nothing for too long while it is its
// turn, which is an error, not the end of what it sends.
type idleReader struct {
	session *session
	pushes  bool
	began   bool
}

func (r *idleReader) Read(p []byte) (int, error) {
	timeout := r.session.conn.server.config.IdleTimeout
	if r.pushes && r.began {
		timeout *= pushTimeouts
	}
	timer := time.AfterFunc(timeout, r.session.hangUp)
	n, err := r.session.Read(p)
	r.began = r.began || n > 0
	if !timer.Stop() && n == 0 {
		err = catalog.Errorf(catalog.Unavailable, "no data received for %s", timeout)
	}
	return n, err
}
