package builder

import "github.com/fandoghpaas/fandogh/catalog"

// StepLimiter bounds the RUN steps of a BuildKit on this machine.
type StepLimiter interface {
	// LimitBuild bounds all steps of one build together, until its End.
	LimitBuild(l catalog.BuildLimits) StepGroup
}

// StepGroup is what bounds all steps of one build together.
type StepGroup interface {
	// CPUShares is what BuildKit is to give each of the steps: it tells whose they are.
	CPUShares() uint64
	// Exceeded tells which limits were in the way of steps that failed.
	Exceeded() Exceeded
	// End gives it back, once the solve is over. A step that goes on, for another build, stays in it.
	End()
}

// Exceeded are limits that steps which failed had run into.
type Exceeded struct {
	Memory      bool  // of a step, a build or all: the kernel killed one of its processes for want of memory
	BuildMemory bool  // with Memory: what the build may use was used up
	PIDs        int64 // the limit that kept it from starting a process; 0: none did
	Disk        bool  // of the build; its steps were killed
}
