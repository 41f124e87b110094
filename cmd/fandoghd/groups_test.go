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

func (j *journal) service(name string, started chan<- struct{}) service {
	return service{name, func(ctx context.Context) error {
		started <- struct{}{}
		<-ctx.Done()
		j.add(name)
		return nil
	}}
}

func TestGroupsStopFromTheLastToTheFirst(t *testing.T) {
	var j journal
	started := make(chan struct{}, 3)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- runGroups(ctx, []service{j.service("http", started)}, []service{j.service("buildkit", started)}, []service{j.service("ssh", started)})
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

func TestAFailedServiceStopsAll(t *testing.T) {
	var j journal
	started := make(chan struct{}, 2)
	failing := service{"broken", func(context.Context) error {
		<-started
		<-started
		return errors.New("lost its port")
	}}
	err := runGroups(t.Context(), []service{j.service("http", started)}, []service{failing}, []service{j.service("ssh", started)})
	if err == nil || !strings.Contains(err.Error(), "broken: lost its port") {
		t.Errorf("error %v", err)
	}
	if want := []string{"ssh", "http"}; !slices.Equal(j.events, want) {
		t.Errorf("stopped in order %v, want %v", j.events, want)
	}
}
