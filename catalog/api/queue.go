package api

// BuildQueue is what runs and waits on the server, for administrators.
type BuildQueue struct {
	Pause   *QueuePause   `json:"pause"`   // null: the queue is not paused
	Running int           `json:"running"` // builds
	Waiting int           `json:"waiting"` // builds
	Builds  []QueuedBuild `json:"builds"`  // those that run, and then those that wait, the next first; as many as were asked for
}

// QueuePause is why no build starts.
type QueuePause struct {
	By     string `json:"by"`
	Since  Time   `json:"since"`
	Reason string `json:"reason"` // may be empty
}

// PauseQueue pauses the queue.
type PauseQueue struct {
	Reason string `json:"reason"` // one line, shown to whom it concerns
}

// QueuedBuild is a build that runs or waits.
type QueuedBuild struct {
	Place     int    `json:"place"` // 1 is the next to start; 0: it runs
	Namespace string `json:"namespace"`
	Image     string `json:"image"`
	Version   string `json:"version"`
	Number    int    `json:"number"`
	Trigger   string `json:"trigger"`
	User      string `json:"user"` // who asked for it; empty when that user is gone
	QueuedAt  Time   `json:"queued_at"`
	Start     Time   `json:"start_date"` // null while it waits
	NotBefore Time   `json:"not_before"` // when it is tried again; null: when its turn comes
}
