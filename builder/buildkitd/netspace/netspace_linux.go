// Package netspace enters network namespaces. A namespace belongs to a thread, so what is to
// happen in one runs on a thread of its own, which ends with it and never runs anything else.
package netspace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Do runs f, and the programs that f starts, in a named network namespace.
func Do(name string, f func() error) error {
	inside, err := netns.GetFromName(name)
	if err != nil {
		return fmt.Errorf("network namespace %s: %w", name, err)
	}
	defer inside.Close() //nolint:errcheck // a handle
	return OnThread(func() error {
		if err := netns.Set(inside); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", name, err)
		}
		return f()
	})
}

// OnThread runs f on a thread of its own, which may change its namespaces: it
// ends with f.
func OnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked, so the thread is not used again
		done <- f()
	}()
	return <-done
}

// New makes a named network namespace.
func New(name string) error {
	return OnThread(func() error {
		made, err := netns.NewNamed(name)
		if err != nil {
			return fmt.Errorf("new network namespace %s: %w", name, err)
		}
		return made.Close()
	})
}

// Delete removes a named network namespace, also one of which the name alone is left: its mount was that of a process with mounts of its
// own, such as a service of systemd. One that is not there is no error.
func Delete(name string) error {
	path := filepath.Join("/run/netns", name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("network namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("network namespace %s: %w", name, err)
	}
	return nil
}
