package turns

import (
	"context"
	"errors"
	"testing"
)

func TestTurns(t *testing.T) {
	turns := New(1, 2)
	first, err := turns.enter("a")
	if err != nil {
		t.Fatal(err)
	}
	var waiting []chan struct{}
	for _, namespace := range []string{"a", "a", "b", "c"} {
		turn, err := turns.enter(namespace)
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, turn)
	}
	if _, err := turns.enter("a"); !errors.Is(err, ErrMany) {
		t.Errorf("a third that waits: %v", err)
	}
	turns.leave("c", waiting[3])
	<-first
	turns.pass()
	<-waiting[0] // a's first
	turns.leave("a", waiting[0])
	<-waiting[2] // b's, and it was left as soon as it was its turn
	turns.leave("b", waiting[2])
	<-waiting[1]
	turns.pass()
	if turns.free != 1 || len(turns.order) > 0 || len(turns.waiting) > 0 {
		t.Errorf("in the end: %+v", turns)
	}
}

func TestTake(t *testing.T) {
	turns := New(2, 0)
	for range 3 {
		first, err := turns.Take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		second, err := turns.Take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := turns.Take(ended, "a"); !errors.Is(err, context.Canceled) || turns.Waiting() != 0 {
			t.Errorf("a third: %v, %d wait", err, turns.Waiting())
		}
		second()
		first()
	}
}
