package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

const (
	pageVisits = 60
	pageGoal   = 100 // milliseconds
	wireGoal   = 200 // kilobytes
)

// pages is row 13: what a browser that was never here before loads of a page, with few and with many versions.
func pages(ctx context.Context, b *bench) ([]measure, error) {
	var all []measure
	for _, size := range []int{1000, 1_000_000} {
		measures, err := b.visit(ctx, size)
		all = append(all, measures...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// visit measures each page with so many versions, the last of which has a build.
func (b *bench) visit(ctx context.Context, size int) ([]measure, error) {
	d, tokens, err := b.startFilled(ctx, "pages", size)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	image := "/images/" + user + "/listed"
	version := fmt.Sprintf("%s/v%d", image, size)
	var all []measure
	for _, page := range []struct{ what, path string }{
		{"first page", "/"}, {"page of an image", image}, {"page of a version", version}, {"page of a build", version + "/1"},
		{"search by a version's name", fmt.Sprintf("/search?q=%s/listed:v%d", user, size/2)},
	} {
		shown := fmt.Sprintf("%d versions", size)
		time := measure{row: 13, what: page.what, size: shown, n: float64(size), unit: "ms", goal: pageGoal}
		wire := measure{row: 13, what: page.what + ", all that is transferred", size: shown, n: float64(size), unit: "kB", goal: wireGoal}
		for i := range pageVisits {
			var transferred int64
			took, err := seconds(func() (err error) {
				transferred, err = d.load(ctx, tokens[i%len(tokens)], page.path)
				return err
			})
			if err != nil {
				return all, fmt.Errorf("%s: %w", page.path, err)
			}
			time.ours, wire.ours = append(time.ours, took*1000), append(wire.ours, float64(transferred)/1000)
		}
		all = append(all, time, wire)
	}
	return all, nil
}

var linked = regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`)

// load fetches a page and what it needs over a new connection, and returns the bytes of all bodies as they were transferred.
func (d *daemon) load(ctx context.Context, token, path string) (int64, error) {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}} // they are counted
	defer client.CloseIdleConnections()
	transferred, text, err := d.get(ctx, client, token, path)
	if err != nil {
		return 0, err
	}
	files := linked.FindAllStringSubmatch(text, -1)
	if len(files) == 0 {
		return 0, errors.New("the page has no style sheet")
	}
	for _, file := range files {
		n, _, err := d.get(ctx, client, token, file[1])
		if err != nil {
			return 0, err
		}
		transferred += n
	}
	return transferred, nil
}

func (d *daemon) get(ctx context.Context, client *http.Client, token, path string) (transferred int64, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.HTTP+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Accept", "text/html,*/*")
	request.Header.Set("Accept-Encoding", "gzip")
	request.AddCookie(&http.Cookie{Name: "fandogh", Value: token})
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := bounded.ReadAll(response.Body, maxAnswer)
	transferred = int64(len(body))
	if err == nil && response.Header.Get("Content-Encoding") == "gzip" {
		var unzipped io.Reader
		if unzipped, err = gzip.NewReader(strings.NewReader(string(body))); err == nil {
			body, err = bounded.ReadAll(unzipped, maxAnswer)
		}
	}
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, response.Status)
	}
	return transferred, string(body), err
}
