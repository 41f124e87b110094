package client

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

const eventStream = "text/event-stream"

// errNoStream is a server that offers no stream of this log.
var errNoStream = errors.New("the server does not stream logs")

var errSilent = errors.New("the connection went silent")

// errBrokeOff is a stream without its end event.
var errBrokeOff = errors.New("the stream was interrupted")

// event is one event of a text/event-stream.
type event struct {
	name string // empty: the default
	id   string
	data string
}

// streamOnce reads the log's stream until its end event.
func (f *follower) streamOnce(ctx context.Context, u *url.URL) (api.BuildEnd, error) {
	var end api.BuildEnd
	err := f.client.stream(ctx, http.MethodGet, u, f.lines, func(line int, text string) {
		f.lines = line
		f.emit(text)
	}, &end)
	return end, err
}

// stream reads lines behind the first skip until an event named end, which it decodes.
func (c *Client) stream(ctx context.Context, method string, u *url.URL, skip int, emit func(line int, text string), end any) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(c.pace.silence, func() { cancel(errSilent) })
	defer watchdog.Stop()
	req, err := c.request(ctx, method, u, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", eventStream)
	if skip > 0 {
		req.Header.Set("Last-Event-ID", strconv.Itoa(skip))
	}
	resp, err := c.send(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if err := offersStream(resp); err != nil {
		return err
	}
	err = readEvents(resp.Body, func() { watchdog.Reset(c.pace.silence) }, func(e event) (bool, error) {
		if e.name == "end" {
			return true, json.Unmarshal([]byte(e.data), end)
		}
		if line, err := strconv.Atoi(e.id); err == nil && e.name == "" {
			emit(line, e.data)
		}
		return false, nil
	})
	if err != nil {
		return c.networkError(ctx, err)
	}
	return nil
}

func offersStream(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
		mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if err == nil && mediaType == eventStream {
			return nil
		}
		return errNoStream
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable:
		return errNoStream
	}
	return refusal(resp)
}

// maxEventLine bounds one line of a stream, in bytes; a log's lines are far shorter.
const maxEventLine = 1 << 20

// readEvents hands over events until one is the last. alive is called for all
// that comes, comments included. A stream without a last event is errBrokeOff.
func readEvents(r io.Reader, alive func(), handle func(event) (last bool, err error)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEventLine)
	var e event
	var data []string
	for lines.Scan() {
		alive()
		if lines.Text() == "" {
			if data != nil {
				e.data = strings.Join(data, "\n")
				if last, err := handle(e); last || err != nil {
					return err
				}
			}
			e, data = event{}, nil
			continue
		}
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			data = append(data, value)
		}
	}
	return cmp.Or(lines.Err(), errBrokeOff)
}
