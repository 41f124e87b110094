package language

import (
	"io"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// Marks of no width, which are as a letter of their direction.
const (
	leftToRightMark = "\u200e"
	rightToLeftMark = "\u200f"
)

// Table lines cells up in columns: a cell is what ends in a tab, as text/tabwriter has it, and as wide as a terminal shows it, so that combining
// marks and the half-space of Persian count nothing. What it was given is written by Flush.
type Table struct {
	// Marks keeps columns in their places on a terminal that turns text from right to left: without them two Persian cells beside each other are
	// one text, whose first is shown on the right. They stand around Persian cells alone, and are for terminals alone: who copies one gets them.
	Marks bool

	to      io.Writer
	padding int // columns of space behind the widest cell
	text    strings.Builder
}

// NewTable returns a table that writes to to.
func NewTable(to io.Writer, padding int) *Table { return &Table{to: to, padding: padding} }

// Write takes whole lines until Flush. It never fails.
func (t *Table) Write(p []byte) (int, error) { return t.text.Write(p) }

// Flush writes what there is, lined up. What follows has columns of its own.
func (t *Table) Flush() error {
	var lines [][]string
	for line := range strings.Lines(t.text.String()) {
		lines = append(lines, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	t.text.Reset()
	widths := columnWidths(lines)
	var out strings.Builder
	for i, cells := range lines {
		for j, cell := range cells {
			if t.Marks && len(cells) > 1 && strings.ContainsFunc(cell, rightToLeft) {
				if j == 0 {
					out.WriteString(leftToRightMark) // the line's own direction
				}
				out.WriteString(rightToLeftMark + cell + leftToRightMark)
			} else {
				out.WriteString(cell)
			}
			if j < len(cells)-1 {
				out.WriteString(strings.Repeat(" ", widths[i][j]+t.padding-Width(cell)))
			}
		}
		out.WriteByte('\n')
	}
	_, err := io.WriteString(t.to, out.String())
	return err
}

// columnWidths returns how wide the column of each cell is. A column is the cells below each other that have one behind them.
func columnWidths(lines [][]string) [][]int {
	widths := make([][]int, len(lines))
	for i, cells := range lines {
		widths[i] = make([]int, len(cells)-1)
	}
	for i := range lines {
		for j := range widths[i] {
			if i > 0 && j < len(widths[i-1]) {
				widths[i][j] = widths[i-1][j] // done with the line above
				continue
			}
			end := i
			for ; end < len(lines) && j < len(widths[end]); end++ {
				widths[i][j] = max(widths[i][j], Width(lines[end][j]))
			}
		}
	}
	return widths
}

// Width is how many columns of a terminal a text takes.
func Width(text string) int { return uniseg.StringWidth(text) }

// Pad fills a text up to a width on its left, or for a negative one on its right.
func Pad(text string, width int) string {
	if width < 0 {
		return text + strings.Repeat(" ", max(0, -width-Width(text)))
	}
	return strings.Repeat(" ", max(0, width-Width(text))) + text
}

// rightToLeft reports whether a letter is of a script that is written so.
func rightToLeft(r rune) bool {
	return unicode.IsLetter(r) && unicode.In(r, unicode.Arabic, unicode.Hebrew)
}
