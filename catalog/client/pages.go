package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// pages asks for a list page by page, as far as the caller takes it. An error
// is the last thing it yields.
func pages[T any](ctx context.Context, c *Client, query url.Values, parts ...string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		next, err := c.api(parts...)
		if err != nil {
			yield(none, err)
			return
		}
		next.RawQuery = query.Encode()
		for next != nil {
			var items []T
			header, err := c.call(ctx, http.MethodGet, next, nil, &items)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			next = nextPage(next, header)
		}
	}
}

// nextPage returns the address that a Link header calls next. It never leaves
// the server, which the token is for.
func nextPage(from *url.URL, header http.Header) *url.URL {
	for _, value := range header.Values("Link") {
		for link := range strings.SplitSeq(value, ",") {
			target, params, _ := strings.Cut(link, ";")
			if strings.TrimSpace(params) != `rel="next"` {
				continue
			}
			next, err := from.Parse(strings.Trim(strings.TrimSpace(target), "<>"))
			if err == nil && next.Host == from.Host && next.Scheme == from.Scheme {
				return next
			}
		}
	}
	return nil
}

// Collect makes a slice, never nil, of what a list yields, at most limit items
// (0: all).
func Collect[T any](list iter.Seq2[T, error], limit int) ([]T, error) {
	all := []T{}
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		if all = append(all, item); len(all) == limit {
			break
		}
	}
	return all, nil
}
