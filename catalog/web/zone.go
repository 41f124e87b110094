package web

import (
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	zoneCookie = "fandogh-zone"
	// choiceLife is how long a browser keeps a choice that is no secret.
	choiceLife = 365 * 24 * time.Hour
	// maxZoneName bounds what is looked up, in bytes.
	maxZoneName = 64
	// localPages is how many pages with the times of a zone are kept, one for each page, language and zone.
	localPages = 512
)

// commonZones are those that the page of the account proposes; any other of the time zone database may be typed.
var commonZones = []string{
	"UTC", "Asia/Tehran", "Asia/Kabul", "Asia/Dushanbe", "Asia/Baghdad", "Asia/Dubai", "Asia/Karachi", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo",
	"Europe/Istanbul", "Europe/London", "Europe/Berlin", "Europe/Moscow", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
	"America/Sao_Paulo", "Australia/Sydney",
}

// zoneNamed finds a time zone. Errors: Invalid.
func zoneNamed(name string) (*time.Location, error) {
	name = strings.TrimSpace(name)
	zone, err := time.LoadLocation(name)
	// Local is the server's, which says nothing to anyone else.
	// Nor is any other spelling of a path the name of a zone: pages are kept by it.
	if err != nil || name == "" || name == "Local" || len(name) > maxZoneName || path.Clean(name) != name {
		return nil, catalog.FieldErrorf("zone", "%q is not a time zone; write it as Asia/Tehran or UTC", name)
	}
	return zone, nil
}

// zoneOf is the time zone that the user chose, else UTC.
func zoneOf(r *http.Request) *time.Location {
	cookie, err := r.Cookie(zoneCookie)
	if err != nil || len(cookie.Value) > maxZoneName {
		return time.UTC
	}
	zone, err := zoneNamed(cookie.Value)
	if err != nil {
		return time.UTC
	}
	return zone
}

// keepChoice stores what a user chose of how pages look in a cookie that is no secret: without __Host-, and for long.
func (c *call) keepChoice(name, value string) {
	http.SetCookie(c.w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(choiceLife.Seconds()), Secure: c.server.secure,
		HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// localPage is which page, and for whom.
type localPage struct {
	language lang
	zone     string
	name     string
}

// templates are all pages, as they were parsed, and those that were asked for with the times of a zone.
type templates struct {
	parsed map[lang]map[string]*template.Template // never executed, or they could not be cloned
	local  *lru.Cache[localPage, *template.Template]
}

// page returns a page in a language, with times as they are in a zone.
func (p *templates) page(l lang, zone *time.Location, name string) (*template.Template, error) {
	key := localPage{l, zone.String(), name}
	if page, ok := p.local.Get(key); ok {
		return page, nil
	}
	page, err := p.parsed[l][name].Clone()
	if err != nil {
		return nil, err
	}
	page.Funcs(template.FuncMap{
		"date": func(t time.Time) string { return l.date(t.In(zone)) },
		"day":  func(t time.Time) string { return l.day(t.In(zone)) },
		"zone": zone.String,
	})
	p.local.Add(key, page)
	return page, nil
}
