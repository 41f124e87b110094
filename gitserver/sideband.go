package gitserver

import (
	"io"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// emptyPacket says nothing on band 1; it keeps idle connections open and shows
// whether the client is still there.
const emptyPacket = "0005\x01"

// band sends data, and lines for the person, over one stream. A client that
// asked for no side band gets the data alone. It is safe for concurrent use.
type band struct {
	mu       sync.Mutex
	w        io.Writer
	mux      *sideband.Muxer // nil: no side band
	lastSent time.Time
	lostOnce sync.Once
	lost     chan struct{} // closed when the client is gone
}

func newBand(w io.Writer, capabilities map[string]string) *band {
	b := &band{w: w, lost: make(chan struct{}), lastSent: time.Now()}
	if _, ok := capabilities["side-band-64k"]; ok {
		b.mux = sideband.NewMuxer(sideband.Sideband64k, w)
	} else if _, ok := capabilities["side-band"]; ok {
		b.mux = sideband.NewMuxer(sideband.Sideband, w)
	}
	return b
}

func (b *band) lose() { b.lostOnce.Do(func() { close(b.lost) }) }

func (b *band) send(write func() (int, error)) (int, error) {
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
func (b *band) Write(p []byte) (int, error) {
	return b.send(func() (int, error) {
		if b.mux == nil {
			return b.w.Write(p)
		}
		return b.mux.Write(p)
	})
}

// end closes the side band; nothing is sent afterwards.
func (b *band) end() error {
	if b.mux == nil {
		return nil
	}
	_, err := b.send(func() (int, error) { return 0, pktline.NewEncoder(b.w).Flush() })
	return err
}

// progress is the band for people: it drops what a lost client can't take.
type progress struct{ *band }

func (p progress) Write(text []byte) (int, error) {
	if p.mux == nil || len(text) == 0 {
		return len(text), nil
	}
	_, _ = p.send(func() (int, error) { return p.mux.WriteChannel(sideband.ProgressMessage, text) })
	return len(text), nil
}

// keepAlive breaks silences of every until stop is called.
func (b *band) keepAlive(every time.Duration) (stop func()) {
	if b.mux == nil || every <= 0 {
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
