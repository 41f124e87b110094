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
// ends with f. It is never the main one, which would not end, and whose namespaces
// are the process's for all who look at it from outside, as `docker exec` does.
func OnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked, so the thread is not used again
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- OnThread(f) // on another, as this one is taken
			return
		}
		done <- f()
	}()
	return <-done
}

// dir is where named network namespaces are, iproute2's and ours.
const dir = "/run/netns"

// New makes a named network namespace.
func New(name string) error {
	err := prepare()
	if err == nil {
		err = OnThread(func() error { return create(filepath.Join(dir, name)) })
	}
	if err != nil {
		return fmt.Errorf("new network namespace %s: %w", name, err)
	}
	return nil
}

// prepare makes dir a mount of itself that is shared, as ip does for its first namespace: done later, it would lie over what is in dir.
func prepare() error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read; with it goes the lock, which ip takes, too
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	share := func() error { return unix.Mount("", dir, "", unix.MS_SHARED|unix.MS_REC, "") }
	if err := share(); !errors.Is(err, unix.EINVAL) {
		return err
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil { // it was no mount yet
		return err
	}
	return share()
}

// create has the thread in a network namespace of its own, which is mounted on a file. One that Delete could not remove serves as well.
func create(file string) error {
	f, err := os.OpenFile(file, os.O_RDONLY|os.O_CREATE, 0o444)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	return unix.Mount("/proc/thread-self/ns/net", file, "", unix.MS_BIND, "")
}

// Delete removes a named network namespace, also one of which the name alone is left: its mount was that of a process with mounts of its
// own, such as a service of systemd. One that is not there is no error. Where a mount lies over that of the namespace, nothing can remove
// the name, which New takes all the same.
func Delete(name string) error {
	path := filepath.Join(dir, name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("network namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("network namespace %s: %w", name, err)
	}
	return nil
}
