package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// output is how a command shows its result.
type output struct{ format string }

var outputFormats = []string{"table", "json"}

func (o *output) addFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "`format`: table or json")
	complete(cmd, "output", fixedValues(outputFormats...))
}

// show writes v as JSON, or lets write show it to people.
func (o *output) show(a *app, v any, write func(w *table)) error {
	if o.format == "json" {
		encoder := json.NewEncoder(a.out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	}
	aligned := language.NewTable(a.out, 3)
	aligned.Marks = a.Persian() && isTerminal(a.out)
	write(&table{aligned, a})
	return aligned.Flush()
}

// table is what a command shows people of its result.
type table struct {
	io.Writer
	*app
}

// heads writes the line above the columns.
func (t *table) heads(cells ...string) {
	for i, cell := range cells {
		if cell != "" {
			cells[i] = t.Text(cell)
		}
	}
	row(t, cells...)
}

// check refuses a wrong format before anything is asked of the server.
func (o *output) check() error {
	if !slices.Contains(outputFormats, o.format) {
		return usage.Errorf("unknown output format %q; the formats are: %s", o.format, strings.Join(outputFormats, ", "))
	}
	return nil
}

// row writes one line of a table.
func row(w io.Writer, cells ...string) {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(plain(cell), "\t", " ")
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// plain keeps text of others from steering the terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return '\uFFFD'
		}
		return r
	}, text)
}

// plainLines is plain of each line.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = plain(line)
	}
	return strings.Join(lines, "\n")
}

// print says what a command did.
func (a *app) print(format string, args ...any) { row(a.out, a.Text(format, args...)) }

// answer says what the server said of what it did: its sentences that are the same each time are known.
func (a *app) answer(sentence string) {
	if known, ok := a.Texts[sentence]; ok && a.Persian() {
		sentence = known
	}
	row(a.out, sentence)
}

// time is a moment in the user's zone, empty when there is none.
func (a *app) time(t api.Time) string {
	switch {
	case t.IsZero():
		return ""
	case a.Persian():
		return language.Moment(t.Local())
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// size is bytes as registries count them, empty while there are none.
func (a *app) size(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return a.bytes(bytes)
}

func (a *app) bytes(n int64) string {
	if a.Persian() {
		return language.Size(n)
	}
	return units.HumanSize(float64(n))
}

// binary is bytes in units of 1024.
func (a *app) binary(n int64) string {
	if a.Persian() {
		return language.BinarySize(n)
	}
	return units.BytesSize(float64(n))
}

func (a *app) duration(d time.Duration) string {
	if a.Persian() {
		return language.Duration(d)
	}
	return d.Round(10 * time.Millisecond).String()
}

// count is a number that is not typed back.
func (a *app) count(n int) string { return a.Text("%d", n) }

// state is a state's name.
func (a *app) state(name string) string { return a.Name(language.States, name) }

// oneLine shortens what may be long to n characters.
func oneLine(text string, n int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return string(runes)
}

// sortedMap yields a map's entries in the order of their keys.
func sortedMap(m map[string]string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
