package buildkit

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
)

// inNamespace runs f, and the programs that f starts, in a named network namespace.
func inNamespace(name string, f func() error) error {
	inside, err := netns.GetFromName(name)
	if err != nil {
		return fmt.Errorf("network namespace %s: %w", name, err)
	}
	defer inside.Close() //nolint:errcheck // a handle
	return onThread(func() error {
		if err := netns.Set(inside); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", name, err)
		}
		return f()
	})
}

// onThread runs f on a thread of its own, which may change its namespaces: it
// ends with f.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked, so the thread is not used again
		done <- f()
	}()
	return <-done
}

// newNamespace makes a named network namespace.
func newNamespace(name string) error {
	return onThread(func() error {
		made, err := netns.NewNamed(name)
		if err != nil {
			return fmt.Errorf("new network namespace %s: %w", name, err)
		}
		return made.Close()
	})
}
