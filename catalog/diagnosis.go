package catalog

import (
	"context"
	"time"
)

// Diagnosis is what is known of what a build's steps were made of, and why they took as long as they did.
type Diagnosis struct {
	Dockerfile string           // path in the repository; empty: it can't be read
	Lines      []DockerfileLine // the beginning of it, as it was built
	Miss       *CacheMiss       // nil: nothing that can be told of was missing in the cache
}

// DockerfileLine is one line, with the steps of the instruction that begins there.
type DockerfileLine struct {
	Text  string
	Steps []Step
}

// CacheMiss is the first step without which what was slow would have come from the cache.
type CacheMiss struct {
	Step        Step
	Line        int    // of the Dockerfile, where its instruction begins
	Instruction string // on one line
	Cause       MissCause
	Since       string   // version that this build is compared with; empty: there is none
	Files       []string // that changed, of those that the instruction reads; the first by name
	Changed     int      // how many did
	Args        []string // build args that changed
	// BaseWas and BaseIs are the base image of that version and of this build, "name@sha256:…", where the cause is MissBase.
	BaseWas, BaseIs string
	Cost            time.Duration // what the step took that took longest of those that ran because of it
	Advice          Advice
}

// MissCause is why a step was not in the cache.
type MissCause string

// Causes.
const (
	MissFirst       MissCause = "first"       // nothing was built before
	MissNoCache     MissCause = "no_cache"    // the cache was not to be used
	MissInstruction MissCause = "instruction" // it is new, or was changed
	MissFiles       MissCause = "files"       // that it reads
	MissArgs        MissCause = "args"        // that it may use
	MissBase        MissCause = "base"        // image, which is another one
	MissOther       MissCause = "other"       // none of these: that it was no longer kept, or a file of another image
)

// MissCauses lists all.
func MissCauses() []MissCause {
	return []MissCause{MissFirst, MissNoCache, MissInstruction, MissFiles, MissArgs, MissBase, MissOther}
}

// Advice is what to change of a Dockerfile, so that it would hit the cache.
type Advice struct {
	Kind  AdviceKind // empty: there is none
	Line  int        // of the instruction that it is about
	Copy  string     // instruction to put before that one
	Run   string     // another, behind Copy; empty: none
	Names []string   // files, or build args
}

// AdviceKind is a kind of Advice.
type AdviceKind string

// Kinds of advice.
const (
	AdviceCopyFirst AdviceKind = "copy_first" // copy what the dependencies follow from before the rest: Copy, and Run, before Line, which goes before what missed
	AdviceMoveUp    AdviceKind = "move_up"    // the instruction at Line needs no file of the commit: move it above what missed
	AdviceIgnore    AdviceKind = "ignore"     // leave Names out of the context, by .dockerignore
	AdviceArgLater  AdviceKind = "arg_later"  // declare the args Names behind what does not use them
)

// AdviceKinds lists all.
func AdviceKinds() []AdviceKind {
	return []AdviceKind{AdviceCopyFirst, AdviceMoveUp, AdviceIgnore, AdviceArgLater}
}

// Diagnoses looks into builds. The builder implements it.
type Diagnoses interface {
	// Diagnose says what is known of a build with these steps, which is nothing where its commit is gone. Errors: Unavailable (too many ask,
	// or it takes too long).
	Diagnose(ctx context.Context, build Build, steps []Step) (Diagnosis, error)
}

// Differences compares commits. The git server implements it.
type Differences interface {
	// Changed reports whether two commits differ in a file whose path, with slashes, match accepts; it asks of each that differs,
	// until it accepts one. A missing commit differs. Errors: NotFound (b).
	Changed(ctx context.Context, ref ImageRef, a, b string, match func(path string) bool) (bool, error)
}
