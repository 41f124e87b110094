package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/cenkalti/backoff/v5"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// Ended reports whether a version or build in this state stays so by itself.
func Ended(state string) bool { return state != "PENDING" && state != "BUILDING" }

// Failed reports whether a state is one of the failures.
func Failed(state string) bool { return Ended(state) && state != "BUILT" }

// Log hands emit every line that a version's newest build has printed so far,
// and returns the build's state.
func (c *Client) Log(ctx context.Context, image, version string, timestamps bool, emit func(line string)) (string, error) {
	for offset := 0; ; {
		part, err := c.logAfter(ctx, image, version, offset, timestamps)
		if err != nil {
			return "", err
		}
		part.emit(offset, emit)
		// An answer holds only so many lines; an empty one is the end.
		if Ended(part.State) || part.LinesCount == offset {
			return c.stateOf(ctx, image, version, part.State)
		}
		offset = part.LinesCount
	}
}

// stateOf returns the state of a version's newest build. A polling client is told FAILED of
// every failure, so the version is asked which it is.
func (c *Client) stateOf(ctx context.Context, image, version, polled string) (string, error) {
	if !Failed(polled) {
		return polled, nil
	}
	detail, err := c.Version(ctx, image, version)
	if err != nil || len(detail.Builds) == 0 || !Failed(detail.Builds[0].State) { // another build was queued since
		return polled, err
	}
	return detail.Builds[0].State, nil
}

// Follow hands emit every line of a version's newest build, the old ones and
// those to come, and returns how the build ended. It survives lost
// connections and restarts of the server.
func (c *Client) Follow(ctx context.Context, image, version string, timestamps bool, emit func(line string)) (api.BuildEnd, error) {
	detail, err := c.Version(ctx, image, version)
	if err != nil {
		return api.BuildEnd{}, err
	}
	f := follower{client: c, timestamps: timestamps, emit: emit}
	if len(detail.Builds) > 0 {
		number := strconv.Itoa(detail.Builds[0].Number)
		end, err := f.stream(ctx, "images", image, "versions", version, "builds", number, "log")
		if !errors.Is(err, errNoStream) {
			return end, err
		}
	}
	return f.poll(ctx, image, version)
}

// logPart is what a polling client is told.
type logPart struct{ api.BuildLog }

func (p logPart) emit(offset int, emit func(string)) {
	if p.LinesCount > offset {
		for line := range strings.SplitSeq(p.Logs, "\n") {
			emit(line)
		}
	}
}

func (c *Client) logAfter(ctx context.Context, image, version string, offset int, timestamps bool) (logPart, error) {
	var part logPart
	u, err := c.api("images", image, "versions", version, "builds")
	if err != nil {
		return part, err
	}
	u.RawQuery = url.Values{"image_offset": {strconv.Itoa(offset)}, "with_timestamp": {strconv.FormatBool(timestamps)}}.Encode()
	_, err = c.call(ctx, http.MethodGet, u, nil, &part.BuildLog)
	return part, err
}

// follower shows one build's log, each line once, whatever way it comes.
type follower struct {
	client     *Client
	timestamps bool
	emit       func(string)
	lines      int // shown so far
}

// poll asks again and again, as clients did before there were streams.
func (f *follower) poll(ctx context.Context, image, version string) (api.BuildEnd, error) {
	for {
		part, err := f.client.logAfter(ctx, image, version, f.lines, f.timestamps)
		if err != nil {
			return api.BuildEnd{}, err
		}
		part.emit(f.lines, f.emit)
		grew := part.LinesCount > f.lines
		f.lines = part.LinesCount
		if Ended(part.State) {
			state, err := f.client.stateOf(ctx, image, version, part.State)
			return api.BuildEnd{State: state}, err
		}
		if grew {
			continue
		}
		if err := pause(ctx, f.client.pace.poll); err != nil {
			return api.BuildEnd{}, err
		}
	}
}

// stream reads the live stream. A stream that breaks off is taken up again
// behind the last line, as long as the server answers within a few tries.
func (f *follower) stream(ctx context.Context, parts ...string) (api.BuildEnd, error) {
	u, err := f.client.api(parts...)
	if err != nil {
		return api.BuildEnd{}, err
	}
	u.RawQuery = url.Values{"with_timestamp": {strconv.FormatBool(f.timestamps)}}.Encode()
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier = f.client.pace.firstRetry, 2
	for tries := 1; ; tries++ {
		before := f.lines
		end, err := f.streamOnce(ctx, u)
		var lost *NetworkError
		busy := StatusOf(err) == http.StatusServiceUnavailable || StatusOf(err) == http.StatusBadGateway
		switch {
		case err == nil, ctx.Err() != nil, !errors.As(err, &lost) && !busy, tries == maxStreamTries:
			return end, err
		case f.lines > before:
			tries = 0
			wait.Reset()
		}
		if err := pause(ctx, wait.NextBackOff()); err != nil {
			return end, err
		}
	}
}

// maxStreamTries is how many tries without a new line are made; with their
// growing waits they outlast a restart of the server.
const maxStreamTries = 8

// Diagnosis says why a build of a version was slow.
func (c *Client) Diagnosis(ctx context.Context, image, version string, build int) (api.Diagnosis, error) {
	return ask[api.Diagnosis](ctx, c, http.MethodGet, nil, "images", image, "versions", version, "builds", strconv.Itoa(build), "diagnosis")
}
