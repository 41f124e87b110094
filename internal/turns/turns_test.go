package turns

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
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
	turns.pass("a")
	<-waiting[2] // b's: it had none yet; and it was left as soon as it was its turn
	turns.leave("b", waiting[2])
	<-waiting[0] // a's first
	turns.leave("a", waiting[0])
	<-waiting[1]
	turns.pass("a")
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

// Who waits for a namespace's second turn lets another namespace go first, whoever came first.
func TestNamespacesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := New(1, 0)
		var order, waited []string
		end := make(chan struct{})
		for _, namespace := range []string{"ann", "ann", "ann", "bob"} {
			go func() {
				release, err := turns.TakeOrSay(t.Context(), namespace, func() { waited = append(waited, namespace) })
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, namespace)
				<-end
				release()
			}()
			synctest.Wait()
		}
		for range 4 {
			end <- struct{}{}
			synctest.Wait()
		}
		if got := strings.Join(order, " "); got != "ann bob ann ann" {
			t.Errorf("got %s", got)
		}
		if got := strings.Join(waited, " "); got != "ann ann bob" {
			t.Errorf("of those who had to wait: %s", got)
		}
	})
}
