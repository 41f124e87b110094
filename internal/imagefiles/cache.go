package imagefiles

import (
	"container/list"
	"sync"
)

// cache keeps what was used last, up to a bound. Values must never change.
type cache struct {
	mu     sync.Mutex
	limit  int
	held   int
	values map[string]*list.Element
	order  list.List // of kept, the longest unused first
}

type kept struct {
	name  string
	value any
	cost  int
}

func newCache(limit int) *cache { return &cache{limit: limit, values: map[string]*list.Element{}} }

func (c *cache) get(name string) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.values[name]
	if found == nil {
		return nil, false
	}
	c.order.MoveToBack(found)
	return found.Value.(kept).value, true
}

func (c *cache) put(name string, value any, cost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const least = 1000 // an empty layer takes something, too
	if c.values[name] != nil || cost > c.limit {
		return
	}
	c.values[name] = c.order.PushBack(kept{name, value, cost + least})
	c.held += cost + least
	for c.held > c.limit && c.order.Len() > 1 {
		oldest := c.order.Remove(c.order.Front()).(kept)
		c.held -= oldest.cost
		delete(c.values, oldest.name)
	}
}
