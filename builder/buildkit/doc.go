// Package buildkit builds images with BuildKit, one that answers at an address.
//
// A Solver is the builder's Solver over BuildKit's client. A build reads the
// commit's tree through BuildKit's file sync, without a copy on disk. Large COPYs of
// it are split, so that a change makes a small layer new, not a large one. BuildKit
// hands over the finished image through the same session, and the Solver stores it
// in Fandogh's own registry with the build's own credential, each layer dated and
// compressed once, on its way. Images are
// reproducible: a commit has one digest, whatever its tags, the daemon and what
// the daemon built before. Builds of different images share layers by their
// content, but neither context files nor cache mounts.
//
// The BuildKit may be package buildkitd's, which this one does not know:
//
//	manager, err := buildkitd.New(buildkitd.Config{
//		Dir:          filepath.Join(data, "buildkit"),
//		RegistryHost: registryAddr, // host:port
//		PlainHTTP:    true,
//		Logger:       log.Named("buildkitd"),
//	})
//	if err != nil {
//		return err // names what is to be installed
//	}
//	group.Go(func() error { return manager.Run(ctx) })
//	solver, err := buildkit.New(buildkit.Config{
//		Addresses:    func() []string { return []string{manager.Address()} },
//		RegistryHost: registryAddr,
//		PlainHTTP:    true,
//		Logger:       log.Named("buildkit"),
//	})
//
// Dockerfiles are interpreted in children of this process, by package dockerfile: main
// calls dockerfile.Main before anything else, and Solver.Close ends the child that waits.
//
// End the manager's context only after the builder has drained: it stops
// buildkitd and with it every build. Solver.Ping is the readiness check.
package buildkit
