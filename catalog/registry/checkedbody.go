package registry

import (
	"errors"
	"io"
)

// checkedBody ends well only for who may still push then: it may have taken long to come, and
// what it is for happens afterwards.
type checkedBody struct {
	io.ReadCloser
	check   func() error
	refused error // that check returned
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if b.refused == nil {
		b.refused = b.check()
	}
	if b.refused != nil {
		return n, b.refused
	}
	return n, err
}

// stillPushes asks again whether the user who sent the request may push to the repository.
func (c *call) stillPushes() error {
	id, err := c.registry.identify(c.req)
	if err != nil {
		return err
	}
	again := *c
	again.id = id
	_, err = again.mayPush()
	return err
}
