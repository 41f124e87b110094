package imagefiles

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// cache keeps what was used last, up to a bound. Values must never change.
type cache struct {
	mu     sync.Mutex
	limit  int
	held   int
	values *simplelru.LRU[string, kept]
}

type kept struct {
	value any
	cost  int
}

func newCache(limit int) *cache {
	values, _ := simplelru.NewLRU[string, kept](math.MaxInt, nil) // it is bounded by what is held; only a size below one is an error
	return &cache{limit: limit, values: values}
}

func (c *cache) get(name string) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.values.Get(name)
	return found.value, ok
}

func (c *cache) put(name string, value any, cost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const least = 1000 // an empty layer takes something, too
	if c.values.Contains(name) || cost > c.limit {
		return
	}
	c.values.Add(name, kept{value, cost + least})
	c.held += cost + least
	for c.held > c.limit && c.values.Len() > 1 {
		_, oldest, _ := c.values.RemoveOldest()
		c.held -= oldest.cost
	}
}
