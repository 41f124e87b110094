// Package buildkitd runs a buildkitd as a child of this process, on Linux and as root.
//
// New checks that all there must be is there. Manager.Run makes the network of RUN steps, sets a build
// cache aside that can't be trusted, starts buildkitd in PID, mount and network namespaces
// of its own, asks it again and again whether it answers, and starts it anew when it ends or hangs; it
// returns when its context ends, after buildkitd did. Manager.Ready waits for a buildkitd that
// builds.
//
// What holds at any time: no step reaches this machine or what is not public, but for what the
// configuration allows; no step and no mount outlives its buildkitd, and no buildkitd this process;
// all steps together, and each of them, keep to their limits; the disk that steps write to keeps some
// room, which Disk watches and a Solver asks. What is global to the machine carries the Manager's ID,
// so that the next one removes what a killed one left. Nothing here knows of images or queues: a Solver
// is given Manager.Address.
package buildkitd
