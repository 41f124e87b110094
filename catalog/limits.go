package catalog

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"time"
)

// Limits bound what one user may create, so that none fills the installation of all; 0 is no
// limit. What was made before a limit stays.
type Limits struct {
	Tokens     int // that have not expired
	Keys       int
	Namespaces int // beside the own one
	Images     int
	Webhooks   int
	Secrets    int // registry credentials too
	// Running and Waiting are builds of one namespace, where NamespaceLimits does not say otherwise.
	Running, Waiting int
	// Quota is of each namespace, in the same way.
	Quota Quota
}

// BuildLimits bound one build, all its RUN steps together. The zero value of each says nothing.
type BuildLimits struct {
	CPUs    float64       // processors' time
	Memory  int64         // bytes, page cache and files in memory included
	PIDs    int64         // processes and threads at once
	Disk    int64         // bytes that its steps write
	Log     int64         // bytes of output that are kept
	Timeout time.Duration // of one attempt
}

// Or returns l with what it leaves open taken from others.
func (l BuildLimits) Or(others BuildLimits) BuildLimits {
	return BuildLimits{
		CPUs: cmp.Or(l.CPUs, others.CPUs), Memory: cmp.Or(l.Memory, others.Memory), PIDs: cmp.Or(l.PIDs, others.PIDs),
		Disk: cmp.Or(l.Disk, others.Disk), Log: cmp.Or(l.Log, others.Log), Timeout: cmp.Or(l.Timeout, others.Timeout),
	}
}

// Within returns of each limit the smaller one, and the only one where just one says something.
func (l BuildLimits) Within(ceiling BuildLimits) BuildLimits {
	return BuildLimits{
		CPUs: least(l.CPUs, ceiling.CPUs), Memory: least(l.Memory, ceiling.Memory), PIDs: least(l.PIDs, ceiling.PIDs),
		Disk: least(l.Disk, ceiling.Disk), Log: least(l.Log, ceiling.Log), Timeout: least(l.Timeout, ceiling.Timeout),
	}
}

func least[T cmp.Ordered](a, b T) T {
	var none T
	if a == none || b == none {
		return max(a, b)
	}
	return min(a, b)
}

const (
	// LeastMemory is what runc itself needs to start a step, and a shell in it.
	LeastMemory = 16 << 20
	// LeastCPUs is the kernel's least quota.
	LeastCPUs = 0.01
	mostCPUs  = 1 << 16
	// LeastPIDs is what a shell with a pipe takes, and runc while it starts a step.
	LeastPIDs = 16
)

// Validate refuses limits under which no step can run. Errors: Invalid.
func (l BuildLimits) Validate() error {
	switch {
	case l.CPUs != 0 && (l.CPUs < LeastCPUs || l.CPUs > mostCPUs || math.IsNaN(l.CPUs)):
		return FieldErrorf("cpus", "cpus must be 0, or from %v to %d", LeastCPUs, mostCPUs)
	case l.Memory != 0 && l.Memory < LeastMemory:
		return FieldErrorf("memory", "memory must be 0 or at least 16MiB")
	case l.PIDs != 0 && l.PIDs < LeastPIDs:
		return FieldErrorf("pids", "pids must be 0 or at least %d", LeastPIDs)
	case l.Disk < 0:
		return FieldErrorf("disk", "disk must be 0 or greater")
	case l.Log < 0:
		return FieldErrorf("log", "log must be 0 or greater")
	case l.Timeout < 0:
		return FieldErrorf("timeout", "timeout must be 0 or longer")
	}
	return nil
}

// NamespaceLimits are what an administrator has set for a namespace in place of what all have. The zero value of each is
// what all have.
type NamespaceLimits struct {
	Build   BuildLimits // of each build; no more than the installation gives any
	Running int         // builds at once
	Waiting int         // builds in the queue
	Quota   Quota       // of all that it has
}

// Validate refuses what is no limit. Errors: Invalid.
func (l NamespaceLimits) Validate() error {
	switch {
	case l.Running < 0:
		return FieldErrorf("running", "running must be 0 or greater")
	case l.Waiting < 0:
		return FieldErrorf("waiting", "waiting must be 0 or greater")
	}
	if err := l.Quota.Validate(); err != nil {
		return err
	}
	return l.Build.Validate()
}

// String names what is set, as the flags of the administrators' command do, bytes as a number: "cpus=1.5 quota-images=none".
func (l NamespaceLimits) String() string {
	var parts []string
	say := func(name string, value any, isSet bool) {
		if isSet {
			parts = append(parts, fmt.Sprintf("%s=%v", name, value))
		}
	}
	b := l.Build
	say("cpus", b.CPUs, b.CPUs != 0)
	say("memory", b.Memory, b.Memory != 0)
	say("pids", b.PIDs, b.PIDs != 0)
	say("disk", b.Disk, b.Disk != 0)
	say("log", b.Log, b.Log != 0)
	say("timeout", b.Timeout, b.Timeout != 0)
	say("running", l.Running, l.Running != 0)
	say("waiting", l.Waiting, l.Waiting != 0)
	for _, quota := range l.Quota.parts(Amounts{}, Amounts{}) {
		var most any = quota.most
		if quota.most == NoQuota {
			most = "none"
		}
		say("quota-"+quota.field, most, quota.most != 0)
	}
	return cmp.Or(strings.Join(parts, " "), "none")
}

// NamespaceSettings stores what administrators set for namespaces.
type NamespaceSettings interface {
	// NamespaceLimits returns what is set for a namespace. Errors: NotFound.
	NamespaceLimits(ctx context.Context, namespace string) (NamespaceLimits, error)
	// SetNamespaceLimits replaces it. Errors: Invalid, NotFound.
	SetNamespaceLimits(ctx context.Context, namespace string, l NamespaceLimits) error
}
