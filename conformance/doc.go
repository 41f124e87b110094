// Package conformance proves that a push gives what `docker build` gives. Its
// tests build each case twice: pushed to a fandoghd, and by the plain Dockerfile
// frontend in a plain buildkitd of the same version. They compare the final
// file systems, the configurations, the histories and the refusals.
//
// `go test` runs a sample. CONFORMANCE=all runs everything; CONFORMANCE_OUT names a
// file for the table of results, CONFORMANCE_FANDOGHD a daemon other than the one of
// these sources, and CONFORMANCE_DOCKERFILES a directory of Dockerfiles that are
// asked for acceptance.
package conformance
