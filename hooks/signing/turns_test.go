package signing

import (
	"strings"
	"testing"
	"testing/synctest"
)

// Who waits for a namespace's second turn lets another namespace go first, whoever came first.
func TestNamespacesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		var order []string
		end := make(chan struct{})
		for _, namespace := range []string{"ann", "ann", "ann", "bob"} {
			go func() {
				done, err := turns.take(t.Context(), namespace, func() {})
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, namespace)
				<-end
				done()
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
	})
}
