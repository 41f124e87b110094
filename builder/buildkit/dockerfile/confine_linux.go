package dockerfile

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// isolatedEnv tells a child that it has namespaces of its own.
	isolatedEnv = "FANDOGH_CHILD_ISOLATED"
	// nobody is the user that a child runs as when the daemon is root.
	nobody = 65534
	// emptyRoot is where a child mounts its root: every machine has it, and nothing
	// is read there any more.
	emptyRoot = "/proc"
	// goHeap is what the Go runtime may use before it collects garbage: most Dockerfiles
	// are done long before.
	goHeap = maxMemory / 2
	// maxOpen is what the runtime and one socket need.
	maxOpen = 32
)

func childEnv(isolated bool) []string {
	// The runtime would keep files of the control group open to follow its limits.
	env := []string{"GOMAXPROCS=2", "GODEBUG=containermaxprocs=0,updatemaxprocs=0", "GOTRACEBACK=single", "GOGC=off"}
	if isolated {
		env = append(env, isolatedEnv+"=1")
	}
	return env
}

// childAttr gives a child new namespaces: of mounts, network, processes and the rest.
// A user who is not root needs a user namespace for that.
func childAttr(isolated bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // a Ctrl-C at the terminal is for the daemon
	}
	if !isolated {
		return attr
	}
	attr.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	if os.Geteuid() != 0 {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// confine takes from this process what a Dockerfile has no need of. What fails of it
// is an error, and the child ends.
func confine() error {
	memory, err := ownMemory()
	if err != nil {
		return err
	}
	if os.Getenv(isolatedEnv) != "" {
		if err := leaveFiles(); err != nil {
			return fmt.Errorf("%w: leave the machine's files: %w", errNotIsolated, err)
		}
	}
	if err := leaveRoot(); err != nil {
		return fmt.Errorf("leave root: %w", err)
	}
	// The kernel forgets the death signal when the user changes.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	debug.SetMemoryLimit(goHeap)
	return limit(memory)
}

// ownMemory returns how many bytes of memory this process has mapped by now that
// are private and writable.
func ownMemory() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var skipped, pages uint64
	_, err = fmt.Sscan(string(text), &skipped, &skipped, &skipped, &skipped, &skipped, &pages)
	return pages * uint64(os.Getpagesize()), err
}

// leaveFiles makes an empty directory that takes nothing the root.
func leaveFiles() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RDONLY
	if err := unix.Mount("tmpfs", emptyRoot, "tmpfs", flags, "size=4k,nr_inodes=2,mode=0555"); err != nil {
		return err
	}
	if err := unix.Chdir(emptyRoot); err != nil {
		return err
	}
	// The old root is stacked on the new one, and taken away.
	if err := unix.PivotRoot(".", "."); err != nil {
		return err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Chdir("/")
}

// leaveRoot makes a child of root one of the user nobody, without capabilities. A user
// namespace may map no other user.
func leaveRoot() error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := syscall.Setgid(nobody); errors.Is(err, unix.EINVAL) {
		return nil
	} else if err != nil {
		return err
	}
	return errors.Join(syscall.Setgroups(nil), syscall.Setuid(nobody))
}

// limit sets what the kernel holds this process to: maxMemory besides what it has.
// Memory is all that is private and writable; unlike of the address space, the Go
// runtime reserves none of it ahead.
func limit(memory uint64) error {
	return errors.Join(
		setLimit(unix.RLIMIT_DATA, memory+maxMemory),
		setLimit(unix.RLIMIT_NOFILE, maxOpen),
		setLimit(unix.RLIMIT_FSIZE, 0),
		setLimit(unix.RLIMIT_CORE, 0),
	)
}

// limitTime gives this process maxTime from now on. The kernel kills it then.
func limitTime() error {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return err
	}
	spent := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	// Whole seconds are counted, and the limit is in seconds.
	return setLimit(unix.RLIMIT_CPU, uint64((spent+maxTime).Seconds())+1)
}

func setLimit(resource int, value uint64) error {
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
		return fmt.Errorf("limit %d: %w", resource, err)
	}
	return nil
}
