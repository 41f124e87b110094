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
	meter   *meter // of the bytes; nil: any number may come
	refused error  // that check or meter returned
}

func (b *checkedBody) Read(p []byte) (int, error) {
	if b.refused != nil {
		return 0, b.refused
	}
	n, err := b.ReadCloser.Read(p)
	if b.meter != nil {
		if b.refused = b.meter.take(int64(n)); b.refused != nil {
			return 0, b.refused
		}
	}
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if b.refused = b.check(); b.refused != nil {
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
