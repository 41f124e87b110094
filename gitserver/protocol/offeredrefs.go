package protocol

import (
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// offered is a ref that clients are shown.
type offered struct {
	name   string
	object plumbing.Hash
	peeled plumbing.Hash // what an annotated tag means, of others object
}

// each visits the refs that clients are shown, by name.
func (s *fetchSession) each(snapshot refs.Snapshot, wanted func(name string) bool, visit func(offered) error) error {
	return snapshot.Each("refs/", func(r refs.Ref) error {
		if strings.HasPrefix(r.Name, refs.Hidden) || !wanted(r.Name) {
			return nil
		}
		o := offered{r.Name, r.Hash, r.Hash}
		if strings.HasPrefix(r.Name, "refs/tags/") {
			if err := s.repo.PeelRef(&r); err != nil {
				return err
			}
			o.peeled = r.Peeled
		}
		s.shown[o.object], s.shown[o.peeled] = true, true
		return visit(o)
	})
}

// offers returns all refs that clients are shown.
func (s *fetchSession) offers() (all []offered, err error) {
	snapshot, err := s.repo.Refs.Open()
	if err != nil {
		return nil, err
	}
	defer objects.Discard(snapshot)
	return all, s.each(snapshot, anyRef, func(o offered) error {
		all = append(all, o)
		return nil
	})
}

func anyRef(string) bool { return true }
