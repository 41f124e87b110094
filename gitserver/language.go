package gitserver

import (
	"fmt"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/language"
)

// takeLanguage takes --lang, which may stand anywhere, out of a command. Errors: Invalid.
func (c *client) takeLanguage(words []string) (rest []string, err error) {
	for i := 0; i < len(words); i++ {
		code, given := strings.CutPrefix(words[i], "--lang=")
		switch {
		case words[i] == "--lang" && i+1 < len(words):
			i++
			code = words[i]
		case words[i] != "--lang" && !given:
			rest = append(rest, words[i])
			continue
		}
		l, ok := language.Parse(code)
		if !ok {
			return nil, catalog.Errorf(catalog.Invalid, "%q is not a valid language; the languages are: %s", code, strings.Join(language.Codes(), ", "))
		}
		c.speaker.Language = l
	}
	return rest, nil
}

// say writes what a command did.
func (c *client) say(format string, args ...any) error {
	_, err := fmt.Fprintln(c.session, c.speaker.Text(format, args...))
	return err
}

// heads is the line above the columns of a table.
func (c *client) heads(cells ...string) string {
	said := make([]string, len(cells))
	for i, cell := range cells {
		said[i] = c.speaker.Text(cell)
	}
	return strings.Join(said, "\t")
}

// when writes a moment.
func (c *client) when(t time.Time) string {
	if c.speaker.Persian() {
		return language.Moment(t.UTC())
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func (c *client) size(bytes int64) string {
	if c.speaker.Persian() {
		return language.Size(bytes)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

func (c *client) took(d time.Duration) string {
	if c.speaker.Persian() {
		return language.Duration(d)
	}
	return d.Round(100 * time.Millisecond).String()
}

func (c *client) state(s catalog.State) string { return c.speaker.Name(language.States, string(s)) }

func (c *client) trigger(t catalog.Trigger) string {
	return c.speaker.Name(language.Triggers, string(t))
}

// sayDefaultBranch is DefaultBranch.Sentence in the language.
func (c *client) sayDefaultBranch(image catalog.ImageRef, d catalog.DefaultBranch) error {
	if !c.speaker.Persian() {
		return c.say("%s", d.Sentence(image))
	}
	return c.say("%s", c.speaker.DefaultBranch(image.String(), d.Name, d.Awaited, d.Exists))
}

// saySignedTags is Image.SignedTagsSentence in the language.
func (c *client) saySignedTags(image catalog.Image) error {
	switch {
	case !c.speaker.Persian():
		return c.say("%s", image.SignedTagsSentence())
	case image.SignedTags:
		return c.say("%s takes only tags that a member has signed", image.Ref)
	case image.SourceSigns:
		return c.say("%s takes only tags that a member has signed, as %s does, from whose repository it is built", image.Ref, image.Source)
	}
	return c.say("%s takes any tags, signed or not", image.Ref)
}
