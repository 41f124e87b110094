package api

// Build is one request to make a version, as the contract shows it.
type Build struct {
	Logs      string `json:"logs"`
	StartDate Time   `json:"start_date"` // null while it waits
	EndDate   Time   `json:"end_date"`   // null until it ended
	State     string `json:"state"`
}

// BuildLog is the part of the newest build's log that a polling client asks for.
type BuildLog struct {
	Logs       string `json:"logs"`        // lines after the offset, joined by newlines
	LinesCount int    `json:"lines_count"` // the offset to ask for next
	State      string `json:"state"`       // any failure reads FAILED
	StartDate  Time   `json:"start_date"`
	EndDate    Time   `json:"end_date"`
}

// BuildEnd is the last event of a followed log.
type BuildEnd struct {
	State   string `json:"state"`
	Outcome string `json:"outcome"`
	Message string `json:"message"` // why it ended otherwise than built, or was built of nothing new
}

// BuildDetail is a build without its log.
type BuildDetail struct {
	Number  int    `json:"number"` // 1, 2, … within the version
	State   string `json:"state"`
	Trigger string `json:"trigger"`
	Outcome string `json:"outcome"` // empty until it ended
	Message string `json:"message"` // why it ended otherwise than built, or was built of nothing new
	Commit  string `json:"commit"`
	// Options are what it was asked for, as options of a push; those who may not push are told the names of build args alone.
	Options  []string `json:"options"`
	QueuedAt Time     `json:"queued_at"`
	Start    Time     `json:"start_date"`
	End      Time     `json:"end_date"`
	Steps    []Step   `json:"steps"`
	Queue    *Queue   `json:"queue,omitempty"` // while it waits
}

// RebuildVersion asks for another build.
type RebuildVersion struct {
	// Options change what the last build was asked for, as options of a push: "no-cache", "build-arg=NAME=VALUE"; none: the same once more.
	Options []string `json:"options,omitempty"`
}

// Queue is where a build stands among those that wait, and why it does not start yet.
type Queue struct {
	Place   int    `json:"place"`   // 1 is the next
	Waiting int    `json:"waiting"` // builds, this one too
	Running int    `json:"running"` // builds
	Why     string `json:"why"`
}

// Step is one step of a build.
type Step struct {
	Name     string `json:"name"`
	Platform string `json:"platform,omitempty"` // that it makes something for, where the build has several
	Start    Time   `json:"start_date"`         // null: never started
	Millis   int64  `json:"duration_ms"`        // 0 until it ended
	Cached   bool   `json:"cached"`
	Error    string `json:"error"`
}

// Diagnosis is why a build was slow.
type Diagnosis struct {
	Dockerfile string     `json:"dockerfile"` // path in the repository; empty: it can't be read
	Miss       *CacheMiss `json:"miss"`       // null: no step is known to have missed the cache
}

// CacheMiss is the first step without which what was slow would have come from the cache.
type CacheMiss struct {
	Line        int      `json:"line"` // of the Dockerfile
	Instruction string   `json:"instruction"`
	Millis      int64    `json:"duration_ms"`        // that the step took
	Cause       string   `json:"cause"`              // "first", "no_cache", "instruction", "files", "args", "base", "other"
	Since       string   `json:"since"`              // version that this is compared with; empty: none
	Files       []string `json:"files"`              // that changed, the first by name
	Changed     int      `json:"changed"`            // how many did
	Args        []string `json:"args"`               // build args that changed
	BaseWas     string   `json:"base_was,omitempty"` // "name@sha256:…", of that version and of this build, where the cause is "base"
	BaseIs      string   `json:"base_is,omitempty"`
	Advice      *Advice  `json:"advice,omitempty"`
}

// Advice is what to change of a Dockerfile, so that it would hit the cache.
type Advice struct {
	Kind  string   `json:"kind"`           // "copy_first", "move_up", "ignore", "arg_later"
	Line  int      `json:"line"`           // of the instruction that it is about
	Copy  string   `json:"copy,omitempty"` // instruction to put before what missed
	Run   string   `json:"run,omitempty"`  // another, behind it
	Names []string `json:"names"`          // files, or build args
}
