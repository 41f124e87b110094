package rest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// maxPage is how many items one answer lists at most, and without a limit. The
// store gives more than that at once, as list needs.
const maxPage = 500

// page reads limit and after; after is what the Link of the page before said.
func (c *call) page() (catalog.Page, error) {
	query := c.r.URL.Query()
	page := catalog.Page{Limit: maxPage}
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > maxPage {
			return page, catalog.FieldErrorf("limit", "limit must be a number from 1 to %d", maxPage)
		}
		page.Limit = n
	}
	if query.Has("after") {
		id, err := strconv.ParseInt(query.Get("after"), 10, 64)
		if err != nil || id < 1 {
			return page, catalog.FieldErrorf("after", "after must be the value from the Link header of the previous page")
		}
		page.Before = id
	}
	return page, nil
}

// list reads one page with load and converts its items. load is asked for one
// item too many, which reports whether there is a next page to link to.
func list[Item, Out any](c *call, load func(catalog.Page) ([]Item, error), id func(Item) int64, convert func(Item) Out) ([]Out, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	limit := page.Limit
	page.Limit++
	items, err := load(page)
	if err != nil {
		return nil, err
	}
	if len(items) > limit {
		items = items[:limit]
		c.linkNext(id(items[limit-1]))
	}
	return convertAll(items, convert), nil
}

// wholeList answers with a page where one is asked for, and else with all there is, as the
// published contract has it: more than a page of it is written as it is read.
func wholeList[Item, Out any](c *call, load func(catalog.Page) ([]Item, error), id func(Item) int64, convert func(Item) Out) error {
	query := c.r.URL.Query()
	first, err := list(c, load, id, convert)
	if err != nil {
		return err
	}
	if query.Has("limit") || query.Has("after") || c.w.Header().Get("Link") == "" {
		c.send(first)
		return nil
	}
	c.w.Header().Del("Link")
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	out := json.NewEncoder(c.w)
	separator := "["
	for page := (catalog.Page{Limit: maxPage}); ; {
		items, err := load(page)
		if err != nil {
			requests.Logger(c.r.Context()).Error("list interrupted", "path", c.r.URL.EscapedPath(), "error", err)
			panic(http.ErrAbortHandler) // the answer has begun, and must not look whole
		}
		for _, item := range items {
			_, _ = io.WriteString(c.w, separator) // a failed write is a client that went away
			_ = out.Encode(convert(item))
			separator = ","
		}
		if len(items) < maxPage {
			break
		}
		page.Before = id(items[len(items)-1])
	}
	_, _ = io.WriteString(c.w, "]\n")
	return nil
}

// linkNext names the next page relative to this address, so that it is right
// under every prefix and host.
func (c *call) linkNext(after int64) {
	query := c.r.URL.Query()
	query.Set("after", strconv.FormatInt(after, 10))
	c.w.Header().Set("Link", "<"+(&url.URL{RawQuery: query.Encode()}).String()+`>; rel="next"`)
}

// convertAll never returns nil, which JSON would show as null.
func convertAll[Item, Out any](items []Item, convert func(Item) Out) []Out {
	out := make([]Out, 0, len(items))
	for _, item := range items {
		out = append(out, convert(item))
	}
	return out
}
