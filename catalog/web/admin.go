package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// adminTabs are the pages of the administration.
func adminTabs(here string) []tab {
	return opened([]tab{
		{"/admin/users", "admin.users", false}, {"/admin/namespaces", "admin.namespaces", false}, {"/admin/queue", "admin.queue", false},
		{"/admin/disk", "admin.disk", false}, {"/admin/audit", "admin.audit", false}, {"/admin/doctor", "admin.doctor", false},
	}, here)
}

func (c *call) adminPage() error { return c.goTo("/admin/queue") }

// namePage reads which page of a list by name is asked for, as page does.
func (c *call) namePage() catalog.NamePage {
	return catalog.NamePage{Limit: listed + 1, After: c.r.URL.Query().Get("after")}
}

// cutNames is cut for a list by name.
func cutNames[Item any](c *call, items []Item, name func(Item) string) (shown []Item, p pager) {
	query := url.Values{}
	if c.r.URL.Query().Has("after") {
		p.First = "?"
	}
	if len(items) > listed {
		items = items[:listed]
		query.Set("after", name(items[listed-1]))
		p.Next = "?" + query.Encode()
	}
	return items, p
}

// diskData is what the page of the disk shows, and of what of it is not needed.
type diskData struct {
	Tabs      []tab
	Disk      Disk
	Collected Collection
}

func (c *call) diskPage() error {
	disk, err := c.server.config.Operator.Disk(c.r.Context())
	if err != nil {
		return err
	}
	return c.show(http.StatusOK, "disk", "admin.disk", diskData{adminTabs("admin.disk"), disk, c.server.config.Operator.Collected()})
}

func (c *call) collect() error {
	dryRun := c.form.Get("dry_run") != ""
	if err := c.server.config.Operator.Collect(c.id.User.Name, dryRun); err != nil {
		return err
	}
	if !dryRun {
		c.audit("image data collection asked for")
	}
	return c.done("/admin/disk", "collecting")
}

// doctorData is what the page of doctor's findings shows.
type doctorData struct {
	Tabs     []tab
	Findings []Finding
}

func (c *call) doctorPage() error {
	return c.show(http.StatusOK, "doctor", "admin.doctor", doctorData{adminTabs("admin.doctor"), c.server.config.Operator.Findings(c.r.Context())})
}

// auditData is what the page of the audit log shows.
type auditData struct {
	Tabs  []tab
	Lines []catalog.AuditLine
	Pager pager
	// What the list is narrowed to.
	User, Via, Image string
	Since, Until     time.Time // the first day and the last; zero: any
	Interfaces       []string
}

func (c *call) auditPage() error {
	page, err := c.page()
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	data := auditData{
		Tabs: adminTabs("admin.audit"), User: q.Get("user"), Via: q.Get("via"), Image: q.Get("image"), Interfaces: catalog.AuditInterfaces,
	}
	filter := catalog.AuditFilter{By: data.User, Via: data.Via, Image: data.Image, Page: page}
	if data.Since, err = c.dayIn("since"); err != nil {
		return err
	}
	if data.Until, err = c.dayIn("until"); err != nil {
		return err
	}
	if filter.Since = data.Since; !data.Until.IsZero() {
		filter.Until = data.Until.AddDate(0, 0, 1)
	}
	lines, err := c.server.config.Store.ListAudit(c.r.Context(), filter)
	if err != nil {
		return err
	}
	data.Lines, data.Pager = cut(c, lines, func(l catalog.AuditLine) int64 { return l.ID })
	return c.show(http.StatusOK, "audit", "admin.audit", data)
}

// dayIn reads a day of the query and returns its beginning in the user's zone; zero for none. Errors: Invalid.
func (c *call) dayIn(name string) (time.Time, error) {
	text := strings.TrimSpace(c.r.URL.Query().Get(name))
	if text == "" {
		return time.Time{}, nil
	}
	day, err := readDay(text, zoneOf(c.r))
	if err != nil {
		return day, catalog.FieldErrorf(name, "%s: %s", name, catalog.MessageOf(err))
	}
	return day, nil
}
