package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

// journal records what happened, in order, from several goroutines.
type journal struct {
	mu     sync.Mutex
	events []string
}

func (j *journal) add(event string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, event)
}

func (j *journal) part(name string, started chan<- struct{}) part {
	return part{name, func(ctx context.Context) error {
		started <- struct{}{}
		<-ctx.Done()
		j.add(name)
		return nil
	}}
}

func TestStagesStopFromTheLastToTheFirst(t *testing.T) {
	var j journal
	started := make(chan struct{}, 3)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- runStages(ctx, []part{j.part("http", started)}, []part{j.part("buildkit", started)}, []part{j.part("ssh", started)})
	}()
	for range 3 {
		<-started
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if want := []string{"ssh", "buildkit", "http"}; !slices.Equal(j.events, want) {
		t.Errorf("stopped in order %v, want %v", j.events, want)
	}
}

func TestAFailedPartStopsAll(t *testing.T) {
	var j journal
	started := make(chan struct{}, 2)
	failing := part{"broken", func(context.Context) error {
		<-started
		<-started
		return errors.New("lost its port")
	}}
	err := runStages(t.Context(), []part{j.part("http", started)}, []part{failing}, []part{j.part("ssh", started)})
	if err == nil || !strings.Contains(err.Error(), "broken: lost its port") {
		t.Errorf("error %v", err)
	}
	if want := []string{"ssh", "http"}; !slices.Equal(j.events, want) {
		t.Errorf("stopped in order %v, want %v", j.events, want)
	}
}
