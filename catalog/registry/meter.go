package registry

import (
	"errors"

	"github.com/fandoghpaas/fandogh/catalog"
)

// How many bytes of an upload more than have come there is asked for: at first, and at the least. To ask takes as long as to look up
// all that a namespace has.
const mostAsked, leastAsked = 16 << 20, 64 << 10

// meter asks for room while an upload comes.
type meter struct {
	admit func(bytes int64) error
	taken int64 // of the upload
	asked int64 // for which there was room
}

// take counts bytes that came, and returns why there may not be so many.
func (m *meter) take(n int64) error {
	m.taken += n
	for more := int64(mostAsked); m.taken > m.asked; more /= 4 {
		if more < leastAsked {
			more = 0
		}
		switch err := m.admit(m.taken + more); {
		case err == nil:
			m.asked = m.taken + more
		case more == 0:
			return err
		}
	}
	return nil
}

// meterUpload has an upload that goes on refused as soon as it comes to more than its namespace may have; length is what came of it before, which is
// pending under the key. That the disk is nearly full is no reason: what was begun may end.
func (c *call) meterUpload(length int64, key string) error {
	body, ok := c.req.Body.(*checkedBody)
	if !ok {
		return nil
	}
	body.meter = &meter{taken: length, asked: length, admit: func(bytes int64) error {
		release, err := c.room(nil, catalog.Amounts{Bytes: bytes}, key)
		if errors.Is(err, catalog.ErrNearlyFull) {
			return nil
		}
		if err != nil {
			return err
		}
		release()
		if key != "" {
			c.notePending(key, body.meter.taken)
		}
		return nil
	}}
	if told := c.req.ContentLength; told > 0 {
		return body.meter.admit(length + told) // before any of it is sent
	}
	return nil
}
