package protocol

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// emptyPacket says nothing on band 1; it keeps idle connections open and shows
// whether the client is still there.
const emptyPacket = "0005\x01"

// The bands of git's sideband.
const (
	bandData     = 1
	bandProgress = 2
	bandError    = 3
)

// The longest packets, in bytes, of clients that know side-band-64k and of those
// that know side-band alone.
const (
	longPacket  = 65520
	shortPacket = 1000
)

// sidebandWriter sends data, and lines for the person, over one stream. A client that
// asked for no sideband gets the data alone. It is safe for concurrent use.
type sidebandWriter struct {
	mu       sync.Mutex
	w        io.Writer
	packet   []byte // as long as one may be; nil: no sideband
	lastSent time.Time
	lostOnce sync.Once
	lost     chan struct{} // closed when the client is gone
}

func newSideband(w io.Writer, capabilities map[string]string) *sidebandWriter {
	b := &sidebandWriter{w: w, lost: make(chan struct{}), lastSent: time.Now()}
	if _, ok := capabilities["side-band-64k"]; ok {
		b.packet = make([]byte, longPacket)
	} else if _, ok := capabilities["side-band"]; ok {
		b.packet = make([]byte, shortPacket)
	}
	return b
}

func (s *sidebandWriter) lose() { s.lostOnce.Do(func() { close(s.lost) }) }

func (s *sidebandWriter) send(write func() (int, error)) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := write()
	if err != nil {
		s.lose()
	}
	s.lastSent = time.Now()
	return n, err
}

// Write sends data.
func (s *sidebandWriter) Write(p []byte) (int, error) {
	return s.send(func() (int, error) {
		if s.packet == nil {
			return s.w.Write(p)
		}
		return s.pack(bandData, p)
	})
}

// pack writes p in packets of a band.
func (s *sidebandWriter) pack(channel byte, p []byte) (n int, err error) {
	const head = 5
	for n < len(p) && err == nil {
		k := copy(s.packet[head:], p[n:])
		_ = fmt.Appendf(s.packet[:0], "%04x%c", head+k, channel) // in place: there is room
		if _, err = s.w.Write(s.packet[:head+k]); err == nil {
			n += k
		}
	}
	return n, err
}

// end closes the sideband; nothing is sent afterwards.
func (s *sidebandWriter) end() error {
	if s.packet == nil {
		return nil
	}
	_, err := s.send(func() (int, error) { return 0, pktline.NewEncoder(s.w).Flush() })
	return err
}

// fatal ends the sideband by an error, which git shows as the remote's. Without a band nothing
// can be said any more.
func (s *sidebandWriter) fatal(err error) error {
	if s.packet == nil {
		return err
	}
	_, _ = s.send(func() (int, error) {
		return s.pack(bandError, []byte(reportLine(err)+"\n"))
	})
	_ = s.end()
	return &shownError{err}
}

// progress is the band for people: it drops what a lost client can't take.
type progress struct{ sideband *sidebandWriter }

func (p progress) Write(text []byte) (int, error) {
	if p.sideband.packet == nil || len(text) == 0 {
		return len(text), nil
	}
	_, _ = p.sideband.send(func() (int, error) { return p.sideband.pack(bandProgress, text) })
	return len(text), nil
}

// keepAlive breaks silences of every until stop is called.
func (s *sidebandWriter) keepAlive(every time.Duration) (stop func()) {
	if s.packet == nil || every <= 0 {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-s.lost:
				return
			case <-ticker.C:
			}
			_, _ = s.send(func() (int, error) {
				if time.Since(s.lastSent) < every/2 {
					return 0, nil
				}
				return io.WriteString(s.w, emptyPacket)
			})
		}
	})
	return sync.OnceFunc(func() { close(done); wg.Wait() })
}
