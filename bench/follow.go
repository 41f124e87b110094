package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

const (
	followed   = 1000
	lineRate   = 200
	lineCount  = 200 * 30
	gathering  = 5 // seconds for the followers to come, before the first line
	chattyFile = "FROM scratch\nCOPY ticker /ticker\nENV FOLLOWERS=%d\nRUN [\"/ticker\", \"%d\", \"%d\", \"%d\"]\n"
)

// audience is who follows a build: by the API, or as the page of a build does.
type audience struct {
	row int
	who string // one of them
	ask func(d *daemon, ctx context.Context, token, app string) (*http.Request, error)
}

// followers is row 7: many clients of the event stream of one build that prints
// steadily. Every line carries the time it was printed at.
func followers(ctx context.Context, b *bench) ([]measure, error) {
	return b.followedBy(ctx, audience{7, "follower", (*daemon).logOverREST})
}

// browsers is row 16: the same by the stream that the page of a build reads.
func browsers(ctx context.Context, b *bench) ([]measure, error) {
	return b.followedBy(ctx, audience{16, "browser", (*daemon).logOfPage})
}

func (b *bench) followedBy(ctx context.Context, by audience) ([]measure, error) {
	counts := []int{followed}
	if b.scale {
		counts = []int{followed, followed / 10, 3 * followed}
	}
	var all []measure
	for _, count := range counts {
		measures, err := b.follow(ctx, by, count)
		all = append(all, measures...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (b *bench) follow(ctx context.Context, by audience, count int) ([]measure, error) {
	d, err := startDaemon(ctx, b, b.path(by.who))
	if err != nil {
		return nil, err
	}
	defer d.stop()
	tokens, err := d.addReaders(ctx)
	if err != nil {
		return nil, err
	}
	const app = "chatty"
	w, err := b.newWorkTree(ctx, app, fmt.Sprintf(chattyFile, count, lineRate, lineCount, gathering), 1, 100)
	if err != nil {
		return nil, err
	}
	if _, err := programs.Command(ctx, "", nil, "cp", b.tool("ticker"), w.dir); err != nil {
		return nil, err
	}
	if err := w.commit(ctx, "v1"); err != nil {
		return nil, err
	}
	if _, err := programs.Command(ctx, w.dir, d.env(), "git", "push", "-q", "-o", "detach", d.remote(app), "v1"); err != nil {
		return nil, err
	}
	if err := resetPeak(d.Process); err != nil {
		return nil, err
	}
	lags := make([][]float64, count)
	lines := make([]int, count)
	failures := make([]error, count)
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() {
			lines[i], lags[i], failures[i] = d.followLog(ctx, by, tokens[i%len(tokens)], app)
		})
	}
	group.Wait()
	_, peak := resident(d.Process)
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	var lag []float64
	complete, late := 0.0, 0
	for i, mine := range lags {
		lag = append(lag, mine...)
		if len(mine) < lines[i] {
			late++
		}
		if lines[i] == lineCount {
			complete++
		}
	}
	size := fmt.Sprintf("%d %ss, %d lines at %d/s", count, by.who, lineCount, lineRate)
	if late > 0 {
		size += fmt.Sprintf(", %d came after the first", late)
	}
	n := float64(count)
	every := measure{row: by.row, what: by.who + "s who got every line once and in order", size: size, n: n, unit: "", ours: []float64{complete}, goal: n, atLeast: true}
	p99 := measure{row: by.row, what: "p99 lag from printing to the " + by.who, size: size, n: n, unit: "ms", ours: []float64{quantile(lag, 0.99)}}
	memory := measure{row: by.row, what: "the daemon's memory meanwhile", size: size, n: n, unit: "MB", ours: []float64{peak}}
	if count <= followed {
		p99.goal, memory.goal = 250, 250
	}
	return []measure{every, p99, memory}, nil
}

// followLog reads the stream to its end and returns how many lines came, in
// order, and the lag, in milliseconds, of those printed since it was connected.
func (d *daemon) followLog(ctx context.Context, by audience, token, app string) (count int, lag []float64, err error) {
	request, err := by.ask(d, ctx, token, app)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := d.askPatiently(ctx, request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	connected := time.Now()
	lag = make([]float64, 0, lineCount)
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		line := lines.Bytes() // cheaply: the client has the same processors as the daemon
		if string(line) == "event: end" {
			return count, lag, nil
		}
		_, tick, ok := bytes.Cut(line, []byte("| tick "))
		if !ok {
			continue
		}
		now := time.Now()
		number, printed, _ := bytes.Cut(tick, []byte(" "))
		printed, _, _ = bytes.Cut(printed, []byte(`"`)) // of a page's line, which is JSON
		n, numberErr := strconv.Atoi(string(number))
		nanos, err := strconv.ParseInt(string(printed), 10, 64)
		if err != nil || numberErr != nil || n != count {
			return count, lag, fmt.Errorf("line %q is not the %dth", line, count)
		}
		count++
		if printed := time.Unix(0, nanos); printed.After(connected) {
			lag = append(lag, now.Sub(printed).Seconds()*1000)
		}
	}
	return count, lag, errors.Join(errors.New("the stream broke off"), lines.Err())
}

// logOverREST is a request for the log of an image's first build as the API has it.
func (d *daemon) logOverREST(ctx context.Context, token, app string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.HTTP+"/api/images/"+app+"/versions/v1/builds/1/log", nil)
	if err == nil {
		request.Header.Set("Authorization", "JWT "+token)
		request.Header.Set("ACTIVE-NAMESPACE", user)
	}
	return request, err
}

// logOfPage is a request for it as the page of the build makes it, from the first line on. A token is a session's secret.
func (d *daemon) logOfPage(ctx context.Context, token, app string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.HTTP+"/images/"+user+"/"+app+"/v1/1/events?after=0", nil)
	if err == nil {
		request.AddCookie(&http.Cookie{Name: "fandogh", Value: token})
	}
	return request, err
}

// askPatiently waits as it is told when the server wants fewer requests.
func (d *daemon) askPatiently(ctx context.Context, request *http.Request) (*http.Response, error) {
	for {
		response, err := http.DefaultClient.Do(request)
		if err != nil || response.StatusCode == http.StatusOK {
			return response, err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusTooManyRequests {
			return nil, errors.New(response.Status)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
