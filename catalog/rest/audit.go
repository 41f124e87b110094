package rest

import (
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func (c *call) listAudit() ([]api.AuditLine, error) {
	query := c.r.URL.Query()
	f := catalog.AuditFilter{By: query.Get("user"), Via: query.Get("via"), Image: query.Get("image")}
	var err error
	if f.Since, err = c.timeIn("since"); err != nil {
		return nil, err
	}
	if f.Until, err = c.timeIn("until"); err != nil {
		return nil, err
	}
	load := func(page catalog.Page) ([]catalog.AuditLine, error) {
		f.Page = page
		return c.server.config.Store.ListAudit(c.r.Context(), f)
	}
	return list(c, load, func(l catalog.AuditLine) int64 { return l.ID }, func(l catalog.AuditLine) api.AuditLine {
		return api.AuditLine{ID: l.ID, At: api.Time{Time: l.At}, Via: l.Via, User: l.By, From: l.From, What: l.What, About: l.On}
	})
}

// timeIn reads a time of the query; zero for none. Errors: Invalid.
func (c *call) timeIn(name string) (time.Time, error) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, catalog.FieldErrorf(name, "%s must be a time such as 2006-01-02T15:04:05Z", name)
	}
	return at, nil
}
