package requests

import (
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	// A network has so many lines about its failures at once, and so many a second for long: what is wrong is seen, and no disk is filled.
	linesAtOnce    = 200
	linesPerSecond = 2
	// maxValue is how much is written of what a client sent, in bytes.
	maxValue = 500
)

// Lines bounds how many lines of the log there are about the failures of one network. It is safe for concurrent use.
type Lines struct {
	mu sync.Mutex
	of *lru.Cache[string, *lineBudget]
}

type lineBudget struct {
	limiter *rate.Limiter
	left    int
}

// NewLines makes a Lines.
func NewLines() *Lines {
	of, _ := lru.New[string, *lineBudget](maxLimited) // only a size below one is an error
	return &Lines{of: of}
}

// Allow counts a line about a failure of an address, and reports whether it is to be written. If so, left is how many of its network were not since
// the last that was.
func (l *Lines) Allow(address string, now time.Time) (left int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	network := catalog.NetworkOf(address)
	budget, known := l.of.Get(network)
	if !known {
		budget = &lineBudget{limiter: rate.NewLimiter(linesPerSecond, linesAtOnce)}
		l.of.Add(network, budget)
	}
	if !budget.limiter.AllowN(now, 1) {
		budget.left++
		return 0, false
	}
	left, budget.left = budget.left, 0
	return left, true
}

// Shortened returns as much of what a client sent as is written to the log.
func Shortened(text string) string {
	if len(text) <= maxValue {
		return text
	}
	return strings.ToValidUTF8(text[:maxValue], "") + "…"
}
