package main

import (
	"fmt"
	"math"
	"strings"
)

// table lists measures as Markdown.
func table(all []measure) string {
	var b strings.Builder
	b.WriteString("| # | what | size | ours | peer | ours/peer | to reach | | exponent |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, m := range all {
		if m.failed != nil {
			fmt.Fprintf(&b, "| %d | %s | %s | **failed**: %s | | | | | |\n", m.row, m.what, m.size, cell(m.failed.Error()))
			continue
		}
		peer, ratio := "", ""
		if len(m.peer) > 0 {
			peer, ratio = number(median(m.peer), m.unit), fmt.Sprintf("%.2f", m.ratio())
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s | %s | %s | %s |\n", m.row, m.what+note(m.note), m.size,
			number(median(m.ours), m.unit), peer, ratio, m.goalText(), m.verdict(), exponents(all, m))
	}
	return b.String()
}

// cell makes text of any kind fit into a table: one line, and not a long one.
func cell(text string) string {
	const longest = 500
	if runes := []rune(text); len(runes) > longest {
		text = "… " + string(runes[len(runes)-longest:]) // where the reason stands
	}
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

func note(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func number(x float64, unit string) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case x >= 100:
		return fmt.Sprintf("%.0f %s", x, unit)
	case x >= 1:
		return fmt.Sprintf("%.2f %s", x, unit)
	}
	return fmt.Sprintf("%.3f %s", x, unit)
}

// exponents tells how ours, and the peer's, grew from the next smaller size.
func exponents(all []measure, m measure) string {
	var smaller *measure
	for i, other := range all {
		if other.failed == nil && other.row == m.row && other.what == m.what && other.n < m.n && (smaller == nil || other.n > smaller.n) {
			smaller = &all[i]
		}
	}
	if smaller == nil || smaller.n <= 0 {
		return ""
	}
	grown := func(from, to []float64) string {
		return fmt.Sprintf("%.2f", math.Log(median(to)/median(from))/math.Log(m.n/smaller.n))
	}
	text := grown(smaller.ours, m.ours)
	if len(m.peer) > 0 && len(smaller.peer) > 0 {
		text += " (peer " + grown(smaller.peer, m.peer) + ")"
	}
	return text
}
