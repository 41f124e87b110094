package builder

// Bound ends output where there is too much of it: that of one solve where a Solver passes it on, and that of all attempts
// at a build where it is written to disk.
type Bound struct {
	limit  int64
	says   string // instead of the first line beyond it
	isFull bool
}

const (
	// MaxOutput is how many bytes of its steps' output a Solver passes on, of one solve, when it
	// is not told otherwise.
	MaxOutput = 10 << 20
	// maxLogBytes bounds what all attempts at a build may write to disk; what the
	// builder itself says is always kept.
	maxLogBytes = 64 << 20
)

// OutputBound is that of one solve's output, in bytes.
func OutputBound(limit int64) *Bound {
	return &Bound{limit: limit, says: "(the output of this build exceeds the limit; the rest is left out)"}
}

// logBound is that of a build's log file.
func logBound() *Bound {
	return &Bound{limit: maxLogBytes, says: "The log exceeds " + humanSize(maxLogBytes) + "; the rest of the output is left out."}
}

// Line returns what to write for a line: itself while written, the bytes that there are then, are within the bound; once the
// line that says that the rest is left out; and from then on nothing.
func (b *Bound) Line(line string, written int64) string {
	switch {
	case b.isFull:
		return ""
	case written > b.limit:
		b.isFull = true
		return b.says
	}
	return line
}

// IsFull reports whether no line is written any more.
func (b *Bound) IsFull() bool { return b.isFull }
