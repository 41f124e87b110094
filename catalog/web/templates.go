package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"mime"
	"net/url"
	"path"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/fandoghpaas/fandogh/catalog"
)

// asset is a file that pages refer to. Its address changes with its content.
type asset struct {
	body    []byte
	kind    string
	version string
}

func loadAssets() (map[string]asset, error) {
	found, err := files.ReadDir("static")
	if err != nil {
		return nil, err
	}
	assets := map[string]asset{}
	for _, file := range found {
		body, err := files.ReadFile("static/" + file.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body)
		assets[file.Name()] = asset{body, mime.TypeByExtension(path.Ext(file.Name())), hex.EncodeToString(sum[:6])}
	}
	return assets, nil
}

func (c *call) static() error {
	found, ok := c.server.assets[c.r.PathValue("file")]
	if !ok {
		return catalog.Errorf(catalog.NotFound, "there is no such file")
	}
	c.w.Header().Set("Content-Type", found.kind)
	if c.r.URL.Query().Get("v") == found.version {
		c.w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = c.w.Write(found.body)
	return nil
}

// parsePages reads each page with the layout, for each language.
func (s *Server) parsePages() (*templates, error) {
	found, err := files.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	shared := []string{"templates/layout.html", "templates/parts.html"}
	pages := map[lang]map[string]*template.Template{}
	for _, l := range languages {
		pages[l] = map[string]*template.Template{}
		for _, file := range found {
			page, err := template.New("").Funcs(s.functions(l)).ParseFS(files, append([]string{"templates/" + file.Name()}, shared...)...)
			if err != nil {
				return nil, err
			}
			pages[l][strings.TrimSuffix(file.Name(), ".html")] = page
		}
	}
	local, err := lru.New[localPage, *template.Template](localPages)
	return &templates{pages, local}, err
}

// functions are what templates call beside html/template's own.
func (s *Server) functions(l lang) template.FuncMap {
	return template.FuncMap{
		"t":      l.text,
		"number": l.number,
		"size":   l.size, "change": l.change, "duration": l.duration,
		"ago": func(t time.Time) (string, error) { return l.ago(s.now().Sub(t)) },
		"old": func(t time.Time) bool { return s.now().Sub(t) >= oldAge },
		// As UTC has it; a page gets those of its user's zone.
		"date": l.date, "day": l.day, "zone": time.UTC.String,
		"typed": l.typedDay, "iso": func(t time.Time) string { return t.Format(time.DateOnly) },
		"rfc":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"static": func(name string) string { return "/static/" + name + "?v=" + s.assets[name].version },
		"at":     pathOf, "settings": settingsOf, "members": membersOf, "user": adminUser, "limits": adminNamespace, "nanos": nanos, "session": browserOf,
		"short":   short,
		"control": controlOf,
		"line":    func(i int) int { return i + 1 },
		"lower":   func(text any) string { return strings.ToLower(string(text.(catalog.State))) },
	}
}

// pathOf makes the path of a page of an image out of names: namespace, image, version, …
func pathOf(names ...any) string {
	out := "/images"
	for _, name := range names {
		out += "/" + url.PathEscape(fmt.Sprint(name))
	}
	return out
}

// oldAge is from when on the age of something says less than its date.
const oldAge = 30 * 24 * time.Hour

// short abbreviates a commit or a digest for people.
func short(hash string) string {
	algorithm, rest, found := strings.Cut(hash, ":")
	if !found {
		return hash[:min(len(hash), 10)]
	}
	return algorithm + ":" + rest[:min(len(rest), 12)]
}
