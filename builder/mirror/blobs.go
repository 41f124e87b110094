package mirror

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	unknown = -1 // of a size
	// stallTimeout is how long the next stallBytes of content may take.
	stallTimeout = time.Minute
	stallBytes   = 64 << 10
)

// fetchBlob copies a blob from the first host that has it whole; the next goes on where one broke off.
func (m *Mirror) fetchBlob(ctx context.Context, ref reference, size int64, to io.Writer) error {
	c := &blobCopy{to: to, sum: ref.digest.Algorithm().Hash()}
	var last error
	var senders []*upstream
	for _, u := range m.inTurn(ref.registry) {
		before := c.written
		if last = c.from(ctx, u, ref, size); last != nil {
			u.dropTokens()
		}
		if c.written > before {
			senders = append(senders, u)
		}
		if last == nil || c.writeErr != nil || ctx.Err() != nil {
			break
		}
		if !u.own && !errors.Is(last, errSize) {
			u.note(last, m.now())
		}
		m.log.Debug("a registry gave no content", "host", u.name, "for", ref, "at", c.written, "error", last)
	}
	if last != nil || fmt.Sprintf("%x", c.sum.Sum(nil)) == ref.digest.Encoded() {
		return last
	}
	var names []string
	for _, u := range senders {
		names = append(names, u.name)
		if !u.own {
			u.note(errContent, m.now())
		}
	}
	return fmt.Errorf("%s sent %w for %s", strings.Join(names, " and "), errContent, ref)
}

var (
	errContent = errors.New("what has not the content of its digest")
	// errSize may be the fault of the manifest that tells a size.
	errSize = errors.New("more or less than the manifest tells")
)

// blobCopy is how much of a blob there is.
type blobCopy struct {
	to       io.Writer
	sum      hash.Hash
	written  int64
	writeErr error
}

// from copies what is left from one host.
func (c *blobCopy) from(ctx context.Context, u *upstream, ref reference, size int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(stallTimeout, func() { cancel(fmt.Errorf("less than %d KiB came within a minute", stallBytes>>10)) })
	defer stalled.Stop()
	content, err := u.fetch(ctx, ref.String(), ocispec.Descriptor{Digest: ref.digest, Size: size, MediaType: ocispec.MediaTypeImageLayer})
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // only read
	if seeker, ok := content.(io.Seeker); ok && c.written > 0 {
		if _, err := seeker.Seek(c.written, io.SeekStart); err != nil {
			return err
		}
	} else if c.written > 0 {
		return errors.New("the rest can't be fetched alone")
	}
	buffer := make([]byte, 64<<10)
	for inTime := c.written; ; {
		n, err := content.Read(buffer)
		if c.written+int64(n) >= inTime+stallBytes {
			inTime = c.written + int64(n)
			stalled.Reset(stallTimeout)
		}
		if n > 0 {
			if size != unknown && c.written+int64(n) > size {
				return fmt.Errorf("%s sent %w, %d bytes of %s", u.name, errSize, size, ref)
			}
			c.sum.Write(buffer[:n])
			if _, c.writeErr = c.to.Write(buffer[:n]); c.writeErr != nil {
				return c.writeErr
			}
			c.written += int64(n)
		}
		switch {
		case errors.Is(err, io.EOF) && (size == unknown || c.written == size):
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%s sent %w, %d of %d bytes of %s", u.name, errSize, c.written, size, ref)
		case err != nil:
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// download is a blob on its way into the store. It goes on without those who wait for it: what a build that ends
// leaves half done, the next would begin again.
type download struct {
	size int64

	mu      sync.Mutex
	changed chan struct{} // closed at each change
	file    *os.File
	users   int // of the file: who writes it and who follow
	written int64
	done    bool
	err     error
}

// download returns the one that runs for a blob, or begins it. follow must be called. nil: there is no room for it.
func (m *Mirror) download(ref reference, size int64) *download {
	key := ref.String()
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.downloads[key]
	if d == nil {
		if size > m.cfg.MaxBytes || !m.store.hasRoom(size+m.coming()) {
			return nil
		}
		file, err := m.store.create()
		if err != nil {
			m.log.Warn("nothing more is kept", "error", err)
			return nil
		}
		d = &download{size: size, changed: make(chan struct{}), users: 1, file: file}
		m.downloads[key] = d
		go func() {
			err := m.fill(ref, d)
			m.mu.Lock()
			delete(m.downloads, key)
			m.mu.Unlock()
			d.update(func() { d.done, d.err = true, err })
			d.leave()
		}()
	}
	d.mu.Lock()
	d.users++
	d.mu.Unlock()
	return d
}

// coming is how many bytes the downloads that run still bring.
func (m *Mirror) coming() (bytes int64) {
	for _, d := range m.downloads {
		d.mu.Lock()
		bytes += d.size - d.written
		d.mu.Unlock()
	}
	return bytes
}

// fill fetches the blob and gives it to the store.
func (m *Mirror) fill(ref reference, d *download) error {
	err := m.fetchBlob(context.Background(), ref, d.size, d)
	if err != nil {
		return errors.Join(err, os.Remove(d.file.Name()))
	}
	return m.store.adopt(ref, d.file.Name(), d.size)
}

// Write takes what arrives.
func (d *download) Write(b []byte) (int, error) {
	n, err := d.file.Write(b)
	d.update(func() { d.written += int64(n) })
	return n, err
}

func (d *download) update(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	close(d.changed)
	d.changed = make(chan struct{})
}

// leave ends one use of the file.
func (d *download) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users--; d.users == 0 {
		_ = d.file.Close() // what was to be kept was synchronised
	}
}

// follow sends the blob while it arrives. The last byte goes when all of it is known to be right.
func (d *download) follow(ctx context.Context, to io.Writer) error {
	defer d.leave()
	for sent := int64(0); ; {
		d.mu.Lock()
		changed, ready, done, err := d.changed, d.written-1, d.done, d.err
		d.mu.Unlock()
		if done {
			ready++
		}
		if err != nil {
			return err
		}
		if ready > sent {
			n, err := io.Copy(to, io.NewSectionReader(d.file, sent, ready-sent))
			if err != nil {
				return err
			}
			sent += n
			continue
		}
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
