package objects

import "github.com/go-git/go-git/v5/plumbing"

// EachEntry visits a tree's entries in git's order. A name is good during the
// visit alone.
func EachEntry(data []byte, visit func(mode uint32, name []byte, h plumbing.Hash) error) error {
	for len(data) > 0 {
		mode, name, hash, rest, err := nextEntry(data)
		if err == nil {
			err = visit(mode, name, hash)
		}
		if err != nil {
			return err
		}
		data = rest
	}
	return nil
}
