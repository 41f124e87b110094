package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// output is how a command shows its result.
type output struct{ format string }

var outputFormats = []string{"table", "json"}

func (o *output) addFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "`format`: table or json")
	complete(cmd, "output", fixedValues(outputFormats...))
}

// show writes v as JSON, or lets table write it for people: cells end in tabs.
func (o *output) show(w io.Writer, v any, table func(w io.Writer)) error {
	if o.format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	}
	aligned := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	table(aligned)
	return aligned.Flush()
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

// shortTime is a moment in the user's zone, empty when there is none.
func shortTime(t api.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// shortSize is bytes as registries count them, empty while there are none.
func shortSize(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return units.HumanSize(float64(bytes))
}

func shortDuration(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }

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
