package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// measure is one comparison at one size: samples of ours and, in turn with
// them, of the peer. Without peer samples the goal is an absolute one.
type measure struct {
	row  int
	what string
	size string  // as shown
	n    float64 // as a number, for the exponent
	unit string
	ours []float64
	peer []float64
	// goal is what to reach: a bound on ours/peer, or on ours when there is no peer.
	goal    float64
	atLeast bool // the bound is a lower one
	note    string
	failed  error // why there is nothing, or less than there should be
}

// failures counts what was not measured.
func failures(all []measure) int {
	n := 0
	for _, m := range all {
		if m.failed != nil {
			n++
		}
	}
	return n
}

func median(samples []float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(samples))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

func quantile(samples []float64, q float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(samples))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func (m measure) ratio() float64 { return median(m.ours) / median(m.peer) }

// measured is the number the goal is about.
func (m measure) measured() float64 {
	if len(m.peer) > 0 {
		return m.ratio()
	}
	return median(m.ours)
}

func (m measure) verdict() string {
	switch {
	case m.goal == 0:
		return ""
	case m.atLeast && m.measured() >= m.goal, !m.atLeast && m.measured() <= m.goal:
		return "reached"
	}
	return "**missed**"
}

func (m measure) goalText() string {
	if m.goal == 0 {
		return ""
	}
	sign, unit := "≤", " "+m.unit
	if m.atLeast {
		sign = "≥"
	}
	if len(m.peer) > 0 {
		unit = " of the peer"
	}
	return fmt.Sprintf("%s %g%s", sign, m.goal, unit)
}

func seconds(f func() error) (float64, error) {
	started := time.Now()
	err := f()
	return time.Since(started).Seconds(), err
}

// turn has both sides do the same, beginning with another one each round.
func turn(round int, sides [2]side, do func(at int, s side) error) error {
	for i := range sides {
		at := (i + round) % 2
		if err := do(at, sides[at]); err != nil {
			return err
		}
	}
	return nil
}

// add takes a sample of ours, at 0, or of the peer.
func (m *measure) add(at int, sample float64) {
	if at == 0 {
		m.ours = append(m.ours, sample)
	} else {
		m.peer = append(m.peer, sample)
	}
}

// measured leaves out what an error kept from being measured on both sides.
func measured(all ...measure) []measure {
	return slices.DeleteFunc(all, func(m measure) bool { return len(m.ours) == 0 || len(m.peer) == 0 })
}

// inTurn runs both sides rounds times, the first one changing each time.
func inTurn(rounds int, ours, peer func(round int) error) error {
	for i := range rounds {
		first, second := ours, peer
		if i%2 == 1 {
			first, second = peer, ours
		}
		if err := first(i); err != nil {
			return err
		}
		if err := second(i); err != nil {
			return err
		}
	}
	return nil
}
