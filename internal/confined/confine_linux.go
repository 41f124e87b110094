package confined

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// isolatedEnv tells a child that it has namespaces of its own.
	isolatedEnv = "FANDOGH_CHILD_ISOLATED"
	// rootEnv names the directory whose files a child may read.
	rootEnv = "FANDOGH_CHILD_ROOT"
	// nobody is the user that a child runs as when the daemon is root.
	nobody = 65534
	// emptyRoot is where a child without files mounts its root: every machine has it, and nothing
	// is read there any more.
	emptyRoot = "/proc"
	// minOpen is what the runtime and one socket need, and a few files.
	minOpen = 32
)

func environment(isolated bool, root string) []string {
	// The runtime would keep files of the control group open to follow its limits.
	env := []string{"GOMAXPROCS=2", "GODEBUG=containermaxprocs=0,updatemaxprocs=0", "GOTRACEBACK=single", "GOGC=off"}
	if isolated {
		env = append(env, isolatedEnv+"=1")
	}
	if root != "" {
		env = append(env, rootEnv+"="+root)
	}
	return env
}

// attributes gives a child new namespaces: of mounts, network, processes and the rest.
// A user who is not root needs a user namespace for that.
func attributes(isolated bool) *syscall.SysProcAttr {
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

// Confine takes from this process what strangers' input has no need of. The directory that Start was given is the working directory
// afterwards. What fails of it is an error, and the child is to end.
func (c Child) Confine() error {
	memory, err := ownMemory()
	if err != nil {
		return err
	}
	root := os.Getenv(rootEnv)
	if os.Getenv(isolatedEnv) != "" {
		if err := c.leaveFiles(root); err != nil {
			return fmt.Errorf("%w: leave the machine's files: %w", errNotIsolated, err)
		}
	} else if root != "" {
		if err := os.Chdir(root); err != nil {
			return err
		}
	}
	if err := leaveRoot(); err != nil {
		return fmt.Errorf("leave root: %w", err)
	}
	// The kernel forgets the death signal when the user changes.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	// What the Go runtime may use before it collects garbage: most input is done long before.
	debug.SetMemoryLimit(int64(c.Memory / 2))
	return c.limit(memory)
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

// leaveFiles makes a directory that takes nothing the root: the given one, or an empty one.
func (c Child) leaveFiles(root string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RDONLY
	if root == "" {
		root = emptyRoot
		if err := unix.Mount("tmpfs", root, "tmpfs", flags, "size=4k,nr_inodes=2,mode=0555"); err != nil {
			return err
		}
	} else if err := errors.Join(
		unix.Mount(root, root, "", unix.MS_BIND, ""),
		unix.Mount("", root, "", unix.MS_BIND|unix.MS_REMOUNT|flags, ""),
	); err != nil {
		return err
	}
	if c.Temporary > 0 {
		options := fmt.Sprintf("size=%d,nr_inodes=1k,mode=1777", c.Temporary)
		if err := unix.Mount("tmpfs", filepath.Join(root, TemporaryDir), "tmpfs", flags&^unix.MS_RDONLY, options); err != nil {
			return err
		}
	}
	if err := unix.Chdir(root); err != nil {
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

// limit sets what the kernel holds this process to: c.Memory besides what it has.
// Memory is all that is private and writable; unlike of the address space, the Go
// runtime reserves none of it ahead.
func (c Child) limit(memory uint64) error {
	return errors.Join(
		setLimit(unix.RLIMIT_DATA, memory+c.Memory),
		setLimit(unix.RLIMIT_NOFILE, minOpen+c.Open),
		setLimit(unix.RLIMIT_FSIZE, c.Temporary),
		setLimit(unix.RLIMIT_CORE, 0),
	)
}

// LimitTime gives this process c.Time from now on. The kernel kills it then.
func (c Child) LimitTime() error {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return err
	}
	spent := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	// Whole seconds are counted, and the limit is in seconds.
	return setLimit(unix.RLIMIT_CPU, uint64((spent+c.Time).Seconds())+1)
}

func setLimit(resource int, value uint64) error {
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
		return fmt.Errorf("limit %d: %w", resource, err)
	}
	return nil
}
