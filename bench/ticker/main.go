// Ticker prints a numbered line with the time at a steady pace; a benchmark's
// build runs it, and whoever reads the line knows how old it is.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: ticker LINES-PER-SECOND LINES")
		os.Exit(2)
	}
	rate, rateErr := strconv.Atoi(os.Args[1])
	lines, linesErr := strconv.Atoi(os.Args[2])
	if rateErr != nil || linesErr != nil || rate <= 0 {
		fmt.Fprintln(os.Stderr, "ticker: both arguments are numbers above zero")
		os.Exit(2)
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	for i := range lines {
		now := <-tick.C
		fmt.Printf("tick %d %d\n", i, now.UnixNano())
	}
}
