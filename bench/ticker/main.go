// Ticker prints a numbered line with the time at a steady pace, after a while; a
// benchmark's build runs it, and the reader of a line knows how old it is.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	var rate, lines, wait int
	for i, to := range []*int{&rate, &lines, &wait} {
		var err error
		if len(os.Args) == 4 {
			*to, err = strconv.Atoi(os.Args[i+1])
		}
		if err != nil || *to <= 0 {
			fmt.Fprintln(os.Stderr, "usage: ticker LINES-PER-SECOND LINES SECONDS-BEFORE-THE-FIRST, all above zero")
			os.Exit(2)
		}
	}
	<-time.After(time.Duration(wait) * time.Second)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	for i := range lines {
		now := <-tick.C
		fmt.Printf("tick %d %d\n", i, now.UnixNano())
	}
}
