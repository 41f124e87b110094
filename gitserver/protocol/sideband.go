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

func (b *sidebandWriter) lose() { b.lostOnce.Do(func() { close(b.lost) }) }

func (b *sidebandWriter) send(write func() (int, error)) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := write()
	if err != nil {
		b.lose()
	}
	b.lastSent = time.Now()
	return n, err
}

// Write sends data.
func (b *sidebandWriter) Write(p []byte) (int, error) {
	return b.send(func() (int, error) {
		if b.packet == nil {
			return b.w.Write(p)
		}
		return b.pack(bandData, p)
	})
}

// pack writes p in packets of a band.
func (b *sidebandWriter) pack(channel byte, p []byte) (n int, err error) {
	const head = 5
	for n < len(p) && err == nil {
		k := copy(b.packet[head:], p[n:])
		_ = fmt.Appendf(b.packet[:0], "%04x%c", head+k, channel) // in place: there is room
		if _, err = b.w.Write(b.packet[:head+k]); err == nil {
			n += k
		}
	}
	return n, err
}

// end closes the sideband; nothing is sent afterwards.
func (b *sidebandWriter) end() error {
	if b.packet == nil {
		return nil
	}
	_, err := b.send(func() (int, error) { return 0, pktline.NewEncoder(b.w).Flush() })
	return err
}

// fatal ends the sideband by an error, which git shows as the remote's. Without a band nothing
// can be said any more.
func (b *sidebandWriter) fatal(err error) error {
	if b.packet == nil {
		return err
	}
	_, _ = b.send(func() (int, error) {
		return b.pack(bandError, []byte(reportLine(err)+"\n"))
	})
	_ = b.end()
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
func (b *sidebandWriter) keepAlive(every time.Duration) (stop func()) {
	if b.packet == nil || every <= 0 {
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
			case <-b.lost:
				return
			case <-ticker.C:
			}
			_, _ = b.send(func() (int, error) {
				if time.Since(b.lastSent) < every/2 {
					return 0, nil
				}
				return io.WriteString(b.w, emptyPacket)
			})
		}
	})
	return sync.OnceFunc(func() { close(done); wg.Wait() })
}
