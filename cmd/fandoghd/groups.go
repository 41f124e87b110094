package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// service is something that runs until its context ends.
type service struct {
	name string
	run  func(context.Context) error
}

// runGroups starts all services and, when ctx ends or one of them fails, stops the
// groups from the last to the first: a group is told to stop once every service of
// the group after it has ended. It returns every service's error joined.
func runGroups(ctx context.Context, groups ...[]service) error {
	if len(groups) == 0 {
		<-ctx.Done()
		return nil
	}
	// The group outlives ctx; it ends after the groups that lean on it.
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	later, stopLater := context.WithCancel(ctx)
	defer stopLater()

	var group errgroup.Group
	var errs []error
	failures := make(chan error, len(groups[0]))
	for _, s := range groups[0] {
		group.Go(func() error {
			defer stopLater() // one service less: nothing that leans on it goes on
			if err := s.run(own); err != nil && !errors.Is(err, context.Canceled) {
				failures <- fmt.Errorf("%s: %w", s.name, err)
			}
			return nil
		})
	}
	errs = append(errs, runGroups(later, groups[1:]...))
	stop()
	_ = group.Wait() // the services report through failures
	close(failures)
	for err := range failures {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
