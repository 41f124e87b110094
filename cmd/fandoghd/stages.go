package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// part is something that runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

// runStages starts all parts and, when ctx ends or one of them fails, stops the
// stages from the last to the first: a stage is told to stop once every part of
// the stage after it has ended. It returns every part's error joined.
func runStages(ctx context.Context, stages ...[]part) error {
	if len(stages) == 0 {
		<-ctx.Done()
		return nil
	}
	// The stage outlives ctx; it ends after the stages that lean on it.
	stage, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	later, stopLater := context.WithCancel(ctx)
	defer stopLater()

	var group errgroup.Group
	var errs []error
	failures := make(chan error, len(stages[0]))
	for _, p := range stages[0] {
		group.Go(func() error {
			defer stopLater() // one part less: nothing that leans on it goes on
			if err := p.run(stage); err != nil && !errors.Is(err, context.Canceled) {
				failures <- fmt.Errorf("%s: %w", p.name, err)
			}
			return nil
		})
	}
	errs = append(errs, runStages(later, stages[1:]...))
	stop()
	_ = group.Wait() // the parts report through failures
	close(failures)
	for err := range failures {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
