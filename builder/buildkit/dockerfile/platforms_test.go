package dockerfile

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// What the bases of all platforms are together is what each BuildKit is told.
func TestPlatformsWaitForOneAnother(t *testing.T) {
	p := NewPlatforms(3)
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			p.inherit(i, i != 1)
			if err := p.meet(t.Context(), nil, "", nil); err != nil {
				t.Error(err)
			}
			if inherited, hidesLayers := p.bases(); inherited != 2 || !hidesLayers {
				t.Error(inherited, hidesLayers)
			}
		})
	}
	group.Wait()

	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("another platform failed")
	cancel(over)
	if err := NewPlatforms(2).meet(ctx, nil, "", nil); !errors.Is(err, over) {
		t.Errorf("without the other platform: %v", err)
	}
}
