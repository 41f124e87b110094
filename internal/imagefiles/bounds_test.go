package imagefiles

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// wide is a layer of so many files in one directory.
func wide(files int) string {
	var b strings.Builder
	for i := range files {
		fmt.Fprintf(&b, "d/file-%06d\n", i)
	}
	return b.String()
}

// Who asks for a directory again and again takes memory for what is told, not for what is there.
func TestMemoryOfALongDirectory(t *testing.T) {
	f, _ := newFiles(t, Limits{}, map[string]string{"wide": wide(100_000)})
	for _, layer := range []int{catalog.AllLayers, 0} {
		ask := func() {
			if list, err := f.ListFiles(t.Context(), catalog.ImageRef{}, "wide", "", layer, "/d"); err != nil || !list.More || list.Dir.Files != 100_000 {
				t.Fatalf("%+v, %v", list.Dir, err)
			}
		}
		ask()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		ask()
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
			t.Errorf("layer %d: to list 2000 of 100,000 files took %d bytes", layer, took)
		}
	}
}

// What is kept of images holds their layers, which count for as long as they are held.
func TestKeptTreesHoldTheirLayers(t *testing.T) {
	limits := DefaultLimits
	limits.Kept = 4 << 20
	layers := map[string]string{}
	for i := range 10 {
		layers[fmt.Sprint(i)] = fmt.Sprintf("only/%d\n%s", i, wide(3000))
	}
	f, _ := newFiles(t, limits, layers)
	for name := range layers {
		if _, err := f.ListFiles(t.Context(), catalog.ImageRef{}, name, "", catalog.AllLayers, "/"); err != nil {
			t.Fatal(err)
		}
	}
	f.kept.mu.Lock()
	defer f.kept.mu.Unlock()
	held := map[string]int{}
	for _, name := range f.kept.values.Keys() {
		one, _ := f.kept.values.Peek(name)
		switch value := one.value.(type) {
		case *tree:
			for _, e := range value.entries {
				held[name] += e.Cost()
			}
		case *layer:
			held[name] += value.cost
		}
	}
	all := 0
	for _, bytes := range held {
		all += bytes
	}
	if all > limits.Kept || all == 0 {
		t.Errorf("%d images and layers that are kept hold %d bytes, more than %d", len(held), all, limits.Kept)
	}
}

// Whoever asks for many layers keeps nobody of another namespace waiting for all of them.
func TestLayersInTurn(t *testing.T) {
	f, made := newFiles(t, Limits{}, nil)
	var mu sync.Mutex
	var order []string
	begun, next := make(chan struct{}), make(chan struct{})
	made.open = func(layer string) io.Reader {
		mu.Lock()
		order = append(order, layer)
		mu.Unlock()
		return io.MultiReader(readerFunc(func([]byte) (int, error) { begun <- struct{}{}; <-next; return 0, io.EOF }), bytes.NewReader(layerOf(t, "a 1")))
	}
	var asking sync.WaitGroup
	ask := func(namespace, layer string) {
		asking.Go(func() {
			_, err := f.ListFiles(t.Context(), catalog.ImageRef{Namespace: namespace, Name: "app"}, layer, "", catalog.AllLayers, "/")
			if err != nil {
				t.Errorf("%s: %v", layer, err)
			}
		})
	}
	ask("many", "many-0")
	<-begun
	waiting := func(n int) func() bool { return func() bool { return f.layers.Waiting() == n } }
	for i := 1; i <= 5; i++ {
		ask("many", fmt.Sprint("many-", i))
	}
	testkit.Eventually(t, "five wait", waiting(5))
	ask("one", "one")
	testkit.Eventually(t, "six wait", waiting(6))
	for range 6 {
		next <- struct{}{}
		<-begun
	}
	next <- struct{}{}
	asking.Wait()
	if at := slices.Index(order, "one"); at < 0 || at > 2 {
		t.Errorf("the layers were read in the order %v", order)
	}
}
