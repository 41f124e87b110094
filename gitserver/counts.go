package gitserver

import "sync"

// counts bounds how many there are of something by user.
type counts struct {
	mu sync.Mutex
	of map[int64]int
}

// take counts one more, if that makes no more than most.
func (c *counts) take(user int64, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[user] >= most {
		return false
	}
	if c.of == nil {
		c.of = map[int64]int{}
	}
	c.of[user]++
	return true
}

func (c *counts) give(user int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[user]--; c.of[user] == 0 {
		delete(c.of, user)
	}
}

// full reports whether there are as many as there may be.
func (c *counts) full(user int64, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[user] >= most
}
